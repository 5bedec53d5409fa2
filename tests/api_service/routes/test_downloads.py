"""Zip files that are made while they are sent."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api_service.routes.downloads import MISSING_NAME, pack
from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK
from tests.api_service.conftest import add, process, strings


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        return {info.filename: archive.read(info) for info in archive.infolist()}


class TestAZip:
    def test_the_processed_pictures_or_else_the_originals(self, client: TestClient, catalog: Catalog) -> None:
        done = add(catalog, b"one", filename="one.heic")
        process(catalog, b"processed")
        waiting = add(catalog, b"two", filename="Zwei ü.png")
        answer = client.post("/images/zip", json={"ids": strings([done, waiting])})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
        assert answer.headers["content-disposition"].startswith('attachment; filename="imagomortis-')
        assert unpack(answer.content) == {"one.jpg": b"processed", "Zwei ü.png": b"two"}

    def test_by_a_plain_link(self, client: TestClient, catalog: Catalog) -> None:
        images = [add(catalog, b"one"), add(catalog, b"two")]
        answer = client.get("/api/images/zip", params={"ids": strings(images), "kind": "original"})
        assert unpack(answer.content) == {"picture.jpg": b"one", "picture (2).jpg": b"two"}

    def test_an_image_is_in_it_once(self, client: TestClient, catalog: Catalog) -> None:
        image = str(add(catalog))
        assert len(unpack(client.post("/images/zip", json={"ids": [image, image]}).content)) == 1

    def test_missing_pictures_are_named(self, client: TestClient, catalog: Catalog) -> None:
        there, gone = add(catalog, b"one"), uuid4()
        files = unpack(client.post("/images/zip", json={"ids": strings([gone, there])}).content)
        assert files["picture.jpg"] == b"one"
        assert str(gone) in files[MISSING_NAME].decode()

    def test_an_image_deleted_meanwhile_is_left_out(self, catalog: Catalog) -> None:
        images = [add(catalog, b"one"), add(catalog, b"two")]
        parts = pack(catalog.images, images, None)
        begun = next(parts)
        catalog.images.delete(images[1:])
        files = unpack(begun + b"".join(parts))
        assert set(files) == {"picture.jpg", MISSING_NAME}
        assert str(images[1]) in files[MISSING_NAME].decode()

    def test_a_picture_replaced_while_it_is_sent_is_named(self, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog, b"x" * 3 * CHUNK)
        parts = pack(catalog.images, [image], "processed")
        begun = next(parts)
        catalog.images.retry([image])
        process(catalog, b"y" * 3 * CHUNK)
        files = unpack(begun + b"".join(parts))
        assert files["picture.jpg"] == b"x" * CHUNK
        assert "cut off" in files[MISSING_NAME].decode()

    def test_nothing_to_send(self, client: TestClient, catalog: Catalog) -> None:
        assert client.post("/images/zip", json={"ids": [str(uuid4())]}).status_code == 404
        image = add(catalog)
        assert client.post("/images/zip", json={"ids": [str(image)], "kind": "processed"}).status_code == 404

    @pytest.mark.parametrize(
        "body", [{"ids": []}, {"ids": ["x"]}, {"ids": ["24e533e0-2ec3-4c40-8387-f1a0e460e216"], "kind": "x"}, {}]
    )
    def test_wrong_parameters_are_refused(self, client: TestClient, body: object) -> None:
        assert client.post("/images/zip", json=body).status_code == 422

    def test_memory_stays_flat(self, catalog: Catalog) -> None:
        images = [add(catalog, bytes([number]) * 8 * CHUNK) for number in range(8)]
        tracemalloc.start()
        size = sum(len(part) for part in pack(catalog.images, images, None))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > 64 * CHUNK
        assert peak < 8 * CHUNK
