"""The bytes of pictures: which, under which name, in ranges, and when they did not change."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK
from tests.api_service.conftest import add, process

DATA = bytes(range(256)) * 4


@pytest.fixture
def path(catalog: Catalog) -> str:
    """The path of an original that is not processed."""
    return f"/images/{add(catalog, DATA)}"


def etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


class TestWhich:
    def test_the_original_until_there_is_a_processed_picture(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, DATA)
        assert client.get(f"/images/{image}").content == DATA
        process(catalog, b"better")
        assert client.get(f"/images/{image}").content == b"better"

    def test_the_former_processed_picture_while_a_new_one_is_made(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, DATA)
        process(catalog, b"better")
        catalog.images.retry([image])
        assert client.get(f"/images/{image}").content == b"better"

    @pytest.mark.parametrize("form", ["/images/{}/{}", "/images/{}?kind={}", "/api/images/{}/{}"])
    def test_by_kind(self, client: TestClient, catalog: Catalog, form: str) -> None:
        image = add(catalog, DATA)
        process(catalog, b"better", b"small")
        for kind, data in {"original": DATA, "processed": b"better", "thumbnail": b"small"}.items():
            assert client.get(form.format(image, kind)).content == data

    def test_a_rendition_that_is_not_there_yet(self, client: TestClient, path: str) -> None:
        answer = client.get(f"{path}/thumbnail")
        assert answer.status_code == 404
        assert "queued" in answer.json()["detail"]

    def test_an_image_that_is_not_there(self, client: TestClient, catalog: Catalog, path: str) -> None:
        assert client.get(f"/images/{uuid4()}").status_code == 404
        catalog.images.delete_all()
        assert [client.get(f"{path}{end}").status_code for end in ("", "/original", "/processed")] == [404] * 3

    def test_a_kind_that_is_none(self, client: TestClient, path: str) -> None:
        assert client.get(path, params={"kind": "preview"}).status_code == 422


class TestHeaders:
    def test_answers_have_the_headers_that_browsers_need(self, client: TestClient, path: str) -> None:
        headers = client.get(path).headers
        assert headers["etag"] == etag(DATA)
        assert headers["content-type"] == "image/jpeg"
        assert headers["content-length"] == "1024"
        assert headers["cache-control"] == "private, no-cache"
        assert headers["content-disposition"] == 'inline; filename="picture.jpg"'
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]

    def test_saved_under_its_name(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, DATA, filename='Häfen "100%".heic', media_type="image/heic")
        process(catalog)
        for kind, name in {"original": "heic", "processed": "jpg", "thumbnail": "webp"}.items():
            header = client.get(f"/images/{image}/{kind}?download=true").headers["content-disposition"]
            stem = "H%C3%A4fen%20%22100%25%22" + ("-thumbnail" if kind == "thumbnail" else "")
            assert header.startswith('attachment; filename="H_fen _100__')
            assert header.endswith(f"; filename*=UTF-8''{stem}.{name}")

    def test_a_rendition_by_its_version_never_changes(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog)
        [found] = client.get("/images").json()
        assert "immutable" in client.get("/" + found["links"]["thumbnail"]).headers["cache-control"]
        assert "immutable" in client.get("/" + found["links"]["original"]).headers["cache-control"]
        catalog.images.retry([image])
        process(catalog, b"other", b"other thumbnail")
        answer = client.get("/" + found["links"]["thumbnail"])
        assert (answer.content, answer.headers["cache-control"]) == (b"other thumbnail", "private, no-cache")

    def test_head_tells_the_same_without_bytes(self, client: TestClient, path: str) -> None:
        got, asked = client.get(path), client.head(path)
        assert asked.content == b""
        names = ("etag", "content-length", "content-type", "content-disposition", "accept-ranges")
        assert {name: asked.headers[name] for name in names} == {name: got.headers[name] for name in names}


class TestConditions:
    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
    def test_an_unchanged_picture_is_not_sent(self, client: TestClient, path: str, form: str) -> None:
        answer = client.get(path, headers={"If-None-Match": form.format(etag(DATA))})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag(DATA))

    def test_a_changed_picture_is_sent(self, client: TestClient, path: str) -> None:
        assert client.get(path, headers={"If-None-Match": '"other"'}).content == DATA

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [("0-0", 0, 1), ("10-19", 10, 20), ("1000-", 1000, 1024), ("-24", 1000, 1024), ("1000-99999", 1000, 1024)],
    )
    def test_a_range(self, client: TestClient, path: str, asked: str, start: int, end: int) -> None:
        answer = client.get(path, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, DATA[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1024"

    @pytest.mark.parametrize("asked", ["1024-", "5000-6000", "-0"])
    def test_a_range_behind_the_end(self, client: TestClient, path: str, asked: str) -> None:
        answer = client.get(path, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "bytes=x", "bytes=5-1", "lines=0-1", "bytes=-", "", "bytes=--1"]
    )
    def test_anything_but_a_single_range_gets_all_bytes(self, client: TestClient, path: str, asked: str) -> None:
        answer = client.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, DATA)

    def test_a_range_of_the_same_content_only(self, client: TestClient, path: str) -> None:
        same = client.get(path, headers={"Range": "bytes=0-1", "If-Range": etag(DATA)})
        other = client.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        weak = client.get(path, headers={"Range": "bytes=0-1", "If-Range": f"W/{etag(DATA)}"})
        assert [each.status_code for each in (same, other, weak)] == [206, 200, 200]


class TestLargePictures:
    LARGE = bytes(range(251)) * (5 * CHUNK // 251)

    def test_all_of_it(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, self.LARGE)
        assert client.get(f"/images/{image}").content == self.LARGE

    def test_a_range_across_chunks(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, self.LARGE)
        start, end = CHUNK - 5, 3 * CHUNK + 7
        answer = client.get(f"/images/{image}", headers={"Range": f"bytes={start}-{end}"})
        assert answer.content == self.LARGE[start : end + 1]

    def test_a_reader_can_finish_after_a_deletion(self, client: TestClient, catalog: Catalog) -> None:
        """Deleting hides a picture; its bytes are there until it is purged."""
        image = add(catalog, self.LARGE)
        picture = catalog.images.picture(image)
        assert picture is not None
        reading = catalog.images.read(picture)
        first = next(reading)
        catalog.images.delete([image])
        assert first + b"".join(reading) == self.LARGE
        assert client.get(f"/images/{image}").status_code == 404
