"""Assets: pictures under a name."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from imagomortis.catalog import Catalog
from imagomortis.picture.header import Header

HEADER = Header("PNG", "image/png", 4, 3, 1, 1, 5, 5)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_an_asset_is_found_by_its_name(catalog: Catalog) -> None:
    saved = catalog.assets.save("logo", b"bytes", HEADER)
    assert (saved.sha256, saved.media_type, saved.size) == (digest(b"bytes"), "image/png", 5)
    assert (saved.width, saved.height) == (4, 3)
    assert catalog.assets.one("logo") == saved
    assert catalog.assets.one("other") is None


def test_they_are_listed_by_name(catalog: Catalog) -> None:
    for name in ("b", "c", "a"):
        catalog.assets.save(name, b"bytes", HEADER)
    assert [asset.name for asset in catalog.assets.all()] == ["a", "b", "c"]


def test_a_replaced_picture_keeps_its_bytes(catalog: Catalog) -> None:
    first = catalog.assets.save("logo", b"first", HEADER)
    second = catalog.assets.save("logo", b"second", HEADER)
    assert catalog.assets.all() == [second]
    assert (second.created_at, second.updated_at > first.updated_at) == (first.created_at, True)
    assert [catalog.assets.bytes_of(each.sha256) for each in (first, second)] == [b"first", b"second"]
    with pytest.raises(LookupError):
        catalog.assets.bytes_of(digest(b"never stored"))


def test_a_deleted_asset_keeps_its_bytes(catalog: Catalog) -> None:
    asset = catalog.assets.save("logo", b"bytes", HEADER)
    assert [catalog.assets.delete("logo") for _ in range(2)] == [True, False]
    assert catalog.assets.all() == []
    assert catalog.assets.bytes_of(asset.sha256) == b"bytes"


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a" * 65, "a b"])
def test_the_database_holds_the_rule_of_names(catalog: Catalog, name: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        catalog.assets.save(name, b"bytes", HEADER)
