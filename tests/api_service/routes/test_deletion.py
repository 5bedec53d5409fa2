"""Deleting images, and bringing them back."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from tests.api_service.conftest import add, ids, process, strings


class TestDeleting:
    @pytest.mark.parametrize("path", ["/image/{}", "/images/{}", "/api/image/{}"])
    def test_a_deleted_image_is_gone_at_once(self, client: TestClient, catalog: Catalog, path: str) -> None:
        image = add(catalog)
        answer = client.delete(path.format(image))
        assert (answer.status_code, answer.content) == (204, b"")
        assert ids(client.get("/images")) == []
        assert client.get(f"/images/{image}").status_code == 404
        assert client.get(f"/images/{image}/info").status_code == 404

    def test_only_once(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        assert [client.delete(f"/image/{image}").status_code for _ in range(2)] == [204, 404]

    def test_an_image_that_is_not_there(self, client: TestClient) -> None:
        assert client.delete(f"/image/{uuid4()}").status_code == 404

    def test_many(self, client: TestClient, catalog: Catalog) -> None:
        gone, stays = add(catalog), add(catalog)
        assert client.post("/images/delete", json={"ids": strings([gone, uuid4()])}).json() == {"deleted": [str(gone)]}
        assert ids(client.get("/images")) == [stays]

    def test_all(self, client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        for _ in range(5):
            add(catalog)
        assert client.delete("/all").status_code == 204
        assert ids(client.get("/images")) == []
        assert client.delete("/all").status_code == 204


class TestRestoring:
    def test_it_goes_on_where_it_was(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog)
        client.delete(f"/image/{image}")
        assert client.post("/images/restore", json={"ids": [str(image)]}).json() == {
            "restored": [str(image)],
            "count": 1,
        }
        assert client.get(f"/images/{image}").content == b"processed"

    def test_only_deleted_images_are_restored(self, client: TestClient, catalog: Catalog) -> None:
        wanted = strings([add(catalog), uuid4()])
        assert client.post("/images/restore", json={"ids": wanted}).json() == {"restored": [], "count": 0}

    def test_all(self, client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        images = {add(catalog) for _ in range(5)}
        client.delete("/all")
        assert client.post("/images/restore", json={"all": True}).json() == {"restored": [], "count": 5}
        assert set(ids(client.get("/images"))) == images

    def test_purged_images_are_lost(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        client.delete(f"/image/{image}")
        assert catalog.images.purge(undo_seconds=0) == 1
        assert client.post("/images/restore", json={"ids": [str(image)]}).json()["count"] == 0

    @pytest.mark.parametrize("body", [{}, {"all": False}, {"all": None}, {"all": True, "ids": []}, {"ids": []}, []])
    def test_wrong_parameters_are_refused(self, client: TestClient, body: object) -> None:
        assert client.post("/images/restore", json=body).status_code == 422
