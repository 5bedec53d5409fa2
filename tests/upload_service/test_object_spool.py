"""Uploaders whose spool is an object store: any of them takes any request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.object_spool import ObjectSpool
from imagomortis.spool.spool import Entry
from imagomortis.storage.object_store import ObjectStore
from tests.imagomortis.spool.conftest import AT_ONCE
from tests.support import faulty
from tests.support.object_storage import BUCKET, S3Server
from tests.support.pictures import photo
from tests.upload_service.conftest import Service, started

pytestmark = pytest.mark.anyio

PICTURE = photo(64, 48)
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploaders")


@pytest.fixture(scope="module")
async def uploaders(folder: Path) -> AsyncIterator[tuple[Service, Service]]:
    """Two uploaders with a disk each, and one store."""
    url = f"file://{folder}/objects"
    async with (
        started(folder, spool=url, home=folder / "one") as one,
        started(folder, spool=url, home=folder / "other") as other,
    ):
        yield one, other


@pytest.fixture
def spool(folder: Path) -> AnySpool:
    """The spool as the pusher sees it, without the entries of other tests."""
    found = ObjectSpool(ObjectStore.of(f"file://{folder}/objects"), folder / "pusher", pace=AT_ONCE)
    found.remove(*found.scan(100))
    return found


def ready(spool: AnySpool) -> dict[str, bytes | object]:
    entries = [entry for _, entry in spool.read_all(spool.scan(10)) if isinstance(entry, Entry)]
    return {str(entry.upload.id): data for entry, data in spool.contents(entries)}


async def test_a_form_ends_in_the_store(uploaders: tuple[Service, Service], spool: AnySpool, folder: Path) -> None:
    answer = await uploaders[0].client.post("/upload", files={"file": ("a.jpg", PICTURE)})
    assert answer.status_code == 201
    assert ready(spool) == {answer.json()["uuid"]: PICTURE}
    assert (await uploaders[0].client.get("/readyz")).status_code == 200
    assert list((folder / "one" / "drafts" / "incoming").iterdir()) == []


async def test_a_refused_picture_leaves_nothing(uploaders: tuple[Service, Service], spool: AnySpool) -> None:
    answer = await uploaders[0].client.post("/upload", files={"file": ("a.jpg", b"no picture")})
    assert answer.status_code == 415
    assert ready(spool) == {}


async def test_each_piece_can_go_to_another_uploader(uploaders: tuple[Service, Service], spool: AnySpool) -> None:
    one, other = (uploader.client for uploader in uploaders)
    begun = await one.post("/upload/tus/", headers={**TUS, "Upload-Length": str(len(PICTURE))})
    assert begun.status_code == 201
    place, half = f"/upload/tus/{begun.headers['location'].rpartition('/')[2]}", len(PICTURE) // 2
    assert (await _patch(other, place, 0, PICTURE[:half])).headers["upload-offset"] == str(half)
    assert (await one.head(place, headers=TUS)).headers["upload-offset"] == str(half)
    assert (await _patch(one, place, half, PICTURE[half:])).status_code == 204
    assert (await other.head(place, headers=TUS)).headers["upload-offset"] == str(len(PICTURE))
    assert ready(spool) == {place.rpartition("/")[2]: PICTURE}


async def test_a_refused_upload_in_pieces_is_gone(uploaders: tuple[Service, Service]) -> None:
    headers = {**TUS, "Upload-Length": "10", "Content-Type": "application/offset+octet-stream"}
    answer = await uploaders[0].client.post("/upload/tus/", headers=headers, content=b"no picture")
    assert answer.status_code == 415


async def test_clients_are_told_to_come_again_while_the_store_is_away(s3_server: S3Server, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, value in s3_server.variables.items():
        (secrets / name).write_text(value)
    with faulty.in_front_of(s3_server.endpoint) as proxy:
        place = {"spool": f"s3://{BUCKET}/{tmp_path.name}", "storage_endpoint": proxy.address}
        async with started(tmp_path, home=tmp_path / "home", secrets=secrets, **place) as uploader:
            proxy.fault = "503"
            form = await uploader.client.post("/upload", files={"file": ("a.jpg", PICTURE)})
            tus = await uploader.client.post("/upload/tus/", headers={**TUS, "Upload-Length": "100"})
            for answer in (form, tus):
                assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
            proxy.fault = "none"
            assert (await uploader.client.post("/upload", files={"file": ("a.jpg", PICTURE)})).status_code == 201


async def _patch(client: Any, place: str, offset: int, data: bytes) -> Any:
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return await client.patch(place, headers=headers, content=data)
