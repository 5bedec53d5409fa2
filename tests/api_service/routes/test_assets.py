"""Assets: stored, listed, served, deleted."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from imagomortis.catalog import Catalog
from imagomortis.recipe.recipe import Recipe
from tests.api_service.conftest import add
from tests.support.pictures import difference, lying_png, opened, photo, save, truncated

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


OVERLAY = {"steps": [{"transform": "overlay", "asset": "logo", "layout": "stretched"}]}


class TestRecipesWithAssets:
    def test_a_saved_recipe_keeps_the_picture_that_the_asset_was(self, client: TestClient) -> None:
        digest = client.put("/assets/logo", content=LOGO).json()["sha256"]
        saved = client.put("/recipes/mine", json={"recipe": OVERLAY}).json()
        assert saved["recipe"]["steps"][0]["asset"] == f"logo@{digest}"
        assert saved["digest"] == Recipe.parse(saved["recipe"]).digest != Recipe.parse(OVERLAY).digest
        client.put("/assets/logo", content=photo(64, 48)).raise_for_status()
        assert client.post("/recipes/validate", json={"recipe": "mine"}).json()["digest"] == saved["digest"]
        assert client.post("/recipes/validate", json={"recipe": OVERLAY}).json()["digest"] != saved["digest"]

    def test_an_applied_recipe_has_the_digest(self, client: TestClient, catalog: Catalog) -> None:
        digest = client.put("/assets/logo", content=LOGO).json()["sha256"]
        info = client.patch(f"/images/{add(catalog)}", json={"recipe": OVERLAY}).json()
        assert info["recipe"]["steps"][0]["asset"] == f"logo@{digest}"

    @pytest.mark.parametrize("asset", ["logo", f"logo@{'0' * 64}"])
    def test_a_recipe_without_its_asset_is_refused(self, client: TestClient, catalog: Catalog, asset: str) -> None:
        client.put("/assets/logos", content=LOGO).raise_for_status()
        recipe = {"steps": [{"transform": "overlay", "asset": asset}]}
        answers = [
            client.post("/recipes/validate", json={"recipe": recipe}),
            client.put("/recipes/mine", json={"recipe": recipe}),
            client.patch(f"/images/{add(catalog)}", json={"recipe": recipe}),
        ]
        assert {answer.status_code for answer in answers} == {422}
        assert all("'logo'" in answer.json()["detail"] for answer in answers)

    def test_a_preview_shows_the_asset(self, client: TestClient, catalog: Catalog) -> None:
        client.put("/assets/logo", content=save(Image.new("RGB", (8, 6), "#ff0000"), "PNG")).raise_for_status()
        image = add(catalog, photo(64, 48))
        answer = client.post(f"/images/{image}/preview", json={"recipe": OVERLAY})
        assert difference(opened(answer.content), Image.new("RGB", (64, 48), "#ff0000")) < 3

    def test_an_asset_that_saved_recipes_use_is_not_deleted(self, client: TestClient) -> None:
        for name in ("logo", "logo2"):
            client.put(f"/assets/{name}", content=LOGO).raise_for_status()
        outputs = {"steps": [], "outputs": {"small": OVERLAY}}
        for name, recipe in {"second": outputs, "first": OVERLAY, "third": "web"}.items():
            client.put(f"/recipes/{name}", json={"recipe": recipe}).raise_for_status()
        answer = client.delete("/assets/logo")
        assert answer.status_code == 409
        assert "'first', 'second'" in answer.json()["detail"]
        assert "'third'" not in answer.json()["detail"]
        assert client.delete("/assets/logo2").status_code == 204
        for name in ("first", "second"):
            client.delete(f"/recipes/{name}").raise_for_status()
        assert client.delete("/assets/logo").status_code == 204
