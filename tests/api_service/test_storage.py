"""Pictures whose bytes are in an object store: the answers, also while the store is away."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api_service.app import create_app
from imagomortis import storage
from imagomortis.catalog import Catalog
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Access, Settings
from imagomortis.storage import original_name
from tests.api_service.conftest import TOKEN, add, process, rendition
from tests.support import faulty, web
from tests.support.faulty import Proxy
from tests.support.object_storage import BUCKET, S3Server
from tests.support.waiting import wait_until

LARGE = os.urandom(5 * 1024 * 1024)
OUTPUTS = {"steps": [], "outputs": {"wide": {}, "large": {}}, "first": "wide"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(storage=f"file://{tmp_path}/store")


@pytest.fixture
def client(settings: Settings, database: str) -> Iterator[TestClient]:
    with TestClient(create_app(settings, database), base_url="http://localhost") as found:
        yield found


@pytest.fixture
def stored(settings: Settings, database: str) -> Iterator[Catalog]:
    with Catalog(database, objects=storage.opened(settings)) as found:
        yield found


@pytest.fixture
def image_id(stored: Catalog) -> UUID:
    """An image with two outputs. Its original and one output are larger than what is answered in one piece."""
    found = add(stored, LARGE, recipe=OUTPUTS, media_type="image/png")
    process(stored, others=[rendition("large", LARGE[::-1])])
    return found


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("", b"processed"),
        ("/processed", b"processed"),
        ("/thumbnail", b"thumbnail"),
        ("/original", LARGE),
        ("/outputs/wide", b"processed"),
        ("/outputs/wide.jpg", b"processed"),
        ("/outputs/large", LARGE[::-1]),
    ],
)
def test_all_bytes_are_answered(client: TestClient, image_id: UUID, path: str, data: bytes) -> None:
    answer = client.get(f"/images/{image_id}{path}")
    assert (answer.status_code, answer.content) == (200, data)
    assert client.get(f"/images/{image_id}{path}").content == data  # by now it is known whether it is small


@pytest.mark.parametrize("span", [(0, 9), (1_048_570, 1_048_590), (5_242_870, 5_242_879)])
@pytest.mark.parametrize(("path", "data"), [("original", LARGE), ("outputs/large", LARGE[::-1])])
def test_a_range_is_answered(client: TestClient, image_id: UUID, path: str, data: bytes, span: tuple[int, int]) -> None:
    start, end = span
    answer = client.get(f"/images/{image_id}/{path}", headers={"Range": f"bytes={start}-{end}"})
    assert (answer.status_code, answer.content) == (206, data[start : end + 1])


def test_a_zip_has_the_pictures(client: TestClient, image_id: UUID) -> None:
    answer = client.get("/images/zip", params={"ids": str(image_id), "kind": "original"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [LARGE]


def test_a_zip_has_the_outputs(client: TestClient, image_id: UUID) -> None:
    answer = client.get("/images/zip", params={"ids": str(image_id)})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "picture-wide.jpg": b"processed",
            "picture-large.jpg": LARGE[::-1],
        }


def test_the_requests_to_the_store_become_figures(
    settings: Settings, database: str, stored: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_service.app.USAGE_SECONDS", 0.01)
    image_id = add(stored, b"original")
    with TestClient(create_app(settings, database), base_url="http://localhost") as client:
        client.get(f"/images/{image_id}/original")
        [get] = wait_until(stored.figures.storage_usage)
    assert (get.operation, get.requests, get.bytes) == ("get", 1, 8)


@pytest.mark.usefixtures("image_id")
def test_the_figures_count_objects(client: TestClient) -> None:
    found = client.get("/stats").json()["storage"]
    assert found["objects"] == 2 * len(LARGE) + len(b"processed" + b"thumbnail")
    assert found["originals"] > len(LARGE)
    assert found["renditions"] > len(LARGE)
    assert found["database"] > 0


def test_lost_bytes_have_an_error_of_their_own(client: TestClient, stored: Catalog, settings: Settings) -> None:
    image_id, store = add(stored), storage.opened(settings)
    assert store is not None
    store.delete([original_name(image_id)])
    answer = client.get(f"/images/{image_id}/original")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:imagomortis:bytes-damaged"


class TestAway:
    """With an S3 server behind a proxy."""

    @pytest.fixture
    def proxy(self, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
        for name, value in s3_server.variables.items():
            monkeypatch.setenv(name, value)
        with faulty.in_front_of(s3_server.endpoint) as found:
            yield found

    @pytest.fixture
    def settings(self, proxy: Proxy, database: str) -> Settings:
        prefix = database.rpartition("/")[2].partition("?")[0]
        return Settings(storage=f"s3://{BUCKET}/{prefix}", storage_endpoint=proxy.address)

    @pytest.mark.parametrize("path", ["", "/original", "/thumbnail"])
    def test_a_client_is_asked_to_try_again(self, client: TestClient, stored: Catalog, proxy: Proxy, path: str) -> None:
        image_id = add(stored)
        process(stored)
        whole = client.get(f"/images/{image_id}{path}")
        assert whole.status_code == 200
        proxy.fault = "503"
        away = client.get(f"/images/{image_id}{path}")
        assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
        assert "storage" in away.json()["detail"]
        proxy.fault = "none"
        assert client.get(f"/images/{image_id}{path}").content == whole.content


class TestRedirect:
    """With an S3 server, to which clients are sent for the bytes."""

    @pytest.fixture
    def settings(self, s3_server: S3Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
        for name, value in s3_server.variables.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{BUCKET}/{database.rpartition('/')[2].partition('?')[0]}"
        return Settings(storage=url, storage_endpoint=s3_server.endpoint, storage_redirect=True)

    @pytest.mark.parametrize(
        ("path", "data", "media_type"),
        [
            ("", b"processed", "image/jpeg"),
            ("/processed", b"processed", "image/jpeg"),
            ("/original", LARGE, "image/png"),
            ("/outputs/large", LARGE[::-1], "image/jpeg"),
        ],
    )
    def test_the_store_sends_the_bytes(
        self, client: TestClient, image_id: UUID, path: str, data: bytes, media_type: str
    ) -> None:
        answer = client.get(f"/images/{image_id}{path}", follow_redirects=False)
        assert (answer.status_code, answer.content) == (302, b"")
        assert answer.headers["Cache-Control"] == "private, no-store"
        sent = web.get(answer.headers["Location"])
        assert (sent.status_code, sent.content, sent.headers["Content-Type"]) == (200, data, media_type)
        part = web.get(answer.headers["Location"], headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, data[2:6])

    @pytest.mark.parametrize("path", ["/images/{}/thumbnail", "/images/{}?download=true", "/api/images/{}"])
    def test_some_bytes_come_from_the_api(self, client: TestClient, image_id: UUID, path: str) -> None:
        answer = client.get(path.format(image_id), follow_redirects=False)
        assert answer.status_code == 200
        assert answer.content in {b"thumbnail", b"processed"}

    def test_a_known_version_is_not_sent_again(self, client: TestClient, image_id: UUID) -> None:
        etag = client.head(f"/images/{image_id}").headers["ETag"]
        answer = client.get(f"/images/{image_id}", headers={"If-None-Match": etag}, follow_redirects=False)
        assert answer.status_code == 304

    def test_bytes_in_rows_come_from_the_api(self, client: TestClient, database: str) -> None:
        with Catalog(database) as catalog:
            image_id = add(catalog, b"in the row")
        answer = client.get(f"/images/{image_id}/original", follow_redirects=False)
        assert (answer.status_code, answer.content) == (200, b"in the row")

    def test_rights_are_checked_first(self, settings: Settings, database: str, image_id: UUID) -> None:
        closed = settings.model_copy(update={"access": Access.TOKEN, "token": SecretStr(TOKEN)})
        with TestClient(create_app(closed, database), base_url="http://localhost") as client:
            refused = client.get(f"/images/{image_id}", follow_redirects=False)
            assert (refused.status_code, refused.headers.get("Location")) == (401, None)
            sent = client.get(
                f"/images/{image_id}", headers={"Authorization": f"Bearer {TOKEN}"}, follow_redirects=False
            )
            assert sent.status_code == 302

    def test_a_deleted_image_has_no_link(self, client: TestClient, stored: Catalog, image_id: UUID) -> None:
        stored.images.delete([image_id])
        assert client.get(f"/images/{image_id}", follow_redirects=False).status_code == 404


@pytest.mark.parametrize("storage", ["postgres", "file:///tmp/pictures"])
def test_only_stores_that_sign_can_be_redirected_to(storage: str, database: str) -> None:
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_STORAGE_REDIRECT"):
        create_app(Settings(storage=storage, storage_redirect=True), database)
