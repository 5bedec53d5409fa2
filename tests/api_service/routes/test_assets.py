"""Assets: stored, listed, served, deleted."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.support.pictures import lying_png, photo, save, truncated

LOGO = save(Image.new("RGBA", (40, 30), (200, 0, 0, 128)), "PNG")


def test_an_asset_is_stored_and_served(client: TestClient) -> None:
    saved = client.put("/assets/logo", content=LOGO).json()
    assert (saved["name"], saved["media_type"], saved["bytes"]) == ("logo", "image/png", len(LOGO))
    assert (saved["width"], saved["height"]) == (40, 30)
    assert saved["sha256"] == hashlib.sha256(LOGO).hexdigest()
    assert client.get("/api/assets").json() == [saved]
    answer = client.get(saved["url"])
    assert (answer.content, answer.headers["content-type"]) == (LOGO, "image/png")
    assert client.get(saved["url"], headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_an_asset_is_replaced(client: TestClient) -> None:
    first = client.put("/assets/logo", content=LOGO).json()
    second = client.put("/assets/logo", content=photo(64, 48)).json()
    assert (second["media_type"], second["created_at"]) == ("image/jpeg", first["created_at"])
    assert client.get("/assets").json() == [second]


def test_an_asset_can_be_deleted_once(client: TestClient) -> None:
    client.put("/assets/logo", content=LOGO).raise_for_status()
    assert [client.delete("/assets/logo").status_code for _ in range(2)] == [204, 404]
    assert client.get("/assets/logo").status_code == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"no picture", 415),
        (truncated(photo(64, 48), 0.5), 422),
        (lying_png(8000, 8000), 422),
        (save(Image.new("L", (4100, 4100)), "PNG"), 413),
        (save(Image.new("L", (8200, 1)), "PNG"), 413),
        (bytes(1024 * 1024 + 1), 413),
    ],
)
def test_a_file_that_is_not_a_small_picture_is_refused(client: TestClient, data: bytes, status: int) -> None:
    answer = client.put("/assets/logo", content=data)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert client.get("/assets").json() == []


@pytest.mark.parametrize("name", ["UPPER", "-a", "a" * 65, "a.b", "%00", "ü"])
def test_a_wrong_name_is_refused(client: TestClient, name: str) -> None:
    assert client.put(f"/assets/{name}", content=LOGO).status_code == 422
