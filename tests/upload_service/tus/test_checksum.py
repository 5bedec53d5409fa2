"""The extension ``checksum``: bytes that changed on their way are not taken."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from imagomortis.errors import Unavailable
from imagomortis.spool.resumable import ResumableUpload
from tests.support.pictures import photo
from tests.upload_service.conftest import Service
from tests.upload_service.tus.speaker import PLACE, Speaker, check_problem

pytestmark = pytest.mark.anyio

PICTURE = photo(400, 300)


def digest(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_the_right_bytes_are_taken(service: Service, tus: Speaker, algorithm: str) -> None:
    place = await tus.begin(len(PICTURE))
    for start in range(0, len(PICTURE), 7000):
        data = PICTURE[start : start + 7000]
        response = await tus.patch(place, start, data, Upload_Checksum=digest(data, algorithm))
        assert (response.status_code, response.headers["upload-offset"]) == (204, str(start + len(data)))

    (entry,) = service.contents.entries
    assert entry.original.read_bytes() == PICTURE
    assert {path.name for path in (service.contents.spool.tus / place.removeprefix(PLACE)).iterdir()} == {"note.json"}


async def test_other_bytes_are_discarded(tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE[:100])

    response = await tus.patch(place, 100, PICTURE[101:], Upload_Checksum=digest(PICTURE[100:]))

    check_problem(response, 460, "checksum-mismatch")
    assert await tus.offset(place) == 100


async def test_an_upload_that_cannot_be_removed_is_released(
    service: Service, tus: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: ResumableUpload) -> None:
        raise Unavailable("The store does not answer.", retry_after=5)

    with monkeypatch.context() as patch:
        patch.setattr(ResumableUpload, "remove", refuse)
        response = await tus.post(len(PICTURE), PICTURE[:100], Upload_Checksum=digest(PICTURE))
        check_problem(response, 503, "unavailable")
    [folder] = service.contents.spool.tus.iterdir()
    assert (await tus.delete(f"{PLACE}{folder.name}")).status_code == 204


async def test_bytes_that_did_not_all_come_are_discarded(service: Service, tus: Speaker) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield PICTURE[:5000]
        raise ConnectionAbortedError

    place = await tus.begin(len(PICTURE))
    with pytest.raises(ConnectionAbortedError):
        await tus.patch(place, 0, body(), Upload_Checksum=digest(PICTURE))

    assert await tus.offset(place) == 0
    assert (await tus.patch(place, 0, PICTURE, Upload_Checksum=digest(PICTURE))).status_code == 204
    assert service.contents.entries[0].original.read_bytes() == PICTURE


@pytest.mark.parametrize(
    "value", ["crc32 AAAAAA==", "sha1", "sha1 !", "sha1 AAAA", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="]
)
async def test_a_checksum_must_be_one_that_is_known(tus: Speaker, value: str) -> None:
    place = await tus.begin(10)

    check_problem(await tus.patch(place, 0, b"hello world"[:10], Upload_Checksum=value), 400, "wrong-header")
    assert await tus.offset(place) == 0


async def test_first_bytes_are_compared_too(service: Service, tus: Speaker) -> None:
    check_problem(await tus.post(len(PICTURE), PICTURE, Upload_Checksum=digest(b"")), 460, "checksum-mismatch")
    assert (await tus.post(len(PICTURE), PICTURE, Upload_Checksum=digest(PICTURE))).status_code == 201
    assert len(service.contents.entries) == 1
