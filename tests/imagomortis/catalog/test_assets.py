"""Assets: pictures under a name."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.assets import Asset
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe import Recipe
from tests.support.uploads import upload

HEADER = Header("PNG", "image/png", 4, 3, 1, 1, 5, 5)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def overlaid(asset: Asset) -> dict[str, Any]:
    """A recipe that uses the picture of an asset."""
    step = {"transform": "overlay", "asset": f"logo@{asset.sha256.hex()}"}
    return {"steps": [{"transform": "circles"}], "outputs": {"small": {"steps": [step]}}}


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


def let_a_day_pass(catalog: Catalog, hours: int = 25) -> None:
    with catalog.database.connection() as connection:
        connection.execute("UPDATE asset_pictures SET stored_at = stored_at - %s * interval '1 hour'", [hours])


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "deleted"])
def test_a_picture_without_a_name_and_a_use_is_deleted_a_day_later(catalog: Catalog, is_replaced: bool) -> None:
    former, other = catalog.assets.save("logo", b"former", HEADER), catalog.assets.save("other", b"other", HEADER)
    let_a_day_pass(catalog)
    if is_replaced:
        catalog.assets.save("logo", b"new", HEADER)
    else:
        assert catalog.assets.delete("logo")
    assert catalog.assets.delete_unused() == 0
    let_a_day_pass(catalog)
    assert [catalog.assets.delete_unused() for _ in range(2)] == [1, 0]
    with pytest.raises(LookupError):
        catalog.assets.bytes_of(former.sha256)
    assert catalog.assets.bytes_of(other.sha256) == b"other"


@pytest.mark.parametrize("is_saved", [True, False], ids=["saved", "of an image"])
def test_a_picture_in_a_recipe_stays(catalog: Catalog, is_saved: bool) -> None:
    asset = catalog.assets.save("logo", b"bytes", HEADER)
    assert catalog.assets.delete("logo")
    recipe = overlaid(asset)
    if is_saved:
        catalog.recipes.save("marked", "Marked", "", recipe, "0" * 64)
    else:
        image = upload(recipe=recipe)
        catalog.queue.add([(image, b"bytes")])
        catalog.images.delete([image.id])  # it can be restored
    let_a_day_pass(catalog)
    assert catalog.assets.delete_unused() == 0
    if is_saved:
        catalog.recipes.delete("marked")
    else:
        catalog.images.purge(undo_seconds=0)
    assert catalog.assets.delete_unused() == 0, "it was used less than a day ago"
    let_a_day_pass(catalog)
    assert catalog.assets.delete_unused() == 1


def test_a_use_counts_for_a_day_also_if_the_picture_was_stored_less_than_a_day_before(catalog: Catalog) -> None:
    asset = catalog.assets.save("logo", b"bytes", HEADER)
    catalog.assets.delete("logo")
    catalog.recipes.save("marked", "Marked", "", overlaid(asset), "0" * 64)
    let_a_day_pass(catalog, hours=2)
    assert catalog.assets.delete_unused() == 0
    catalog.recipes.delete("marked")
    let_a_day_pass(catalog, hours=23)
    assert catalog.assets.delete_unused() == 0
    let_a_day_pass(catalog, hours=2)
    assert catalog.assets.delete_unused() == 1


def test_a_picture_whose_recipe_is_about_to_be_saved_stays(catalog: Catalog) -> None:
    asset = catalog.assets.save("logo", b"bytes", HEADER)
    catalog.assets.delete("logo")
    let_a_day_pass(catalog)
    catalog.assets.fixed(Recipe.parse(overlaid(asset)))
    assert catalog.assets.delete_unused() == 0


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a" * 65, "a b"])
def test_the_database_holds_the_rule_of_names(catalog: Catalog, name: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        catalog.assets.save(name, b"bytes", HEADER)
