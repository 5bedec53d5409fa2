"""``HEAD``: how far an upload is."""

from __future__ import annotations

import pytest

from tests.support.pictures import photo
from tests.upload_service.tus.speaker import PLACE, Speaker, coded

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)


async def test_tells_offset_and_length_at_any_time(tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    for offset, upto in ((0, 1), (1, 1000), (1000, len(PICTURE))):
        response = await tus.head(place)
        assert response.status_code == 200
        assert response.headers["upload-offset"] == str(offset)
        assert response.headers["upload-length"] == str(len(PICTURE))
        assert "upload-expires" in response.headers
        assert (await tus.patch(place, offset, PICTURE[offset:upto])).headers["upload-offset"] == str(upto)


async def test_tells_that_an_upload_is_complete_as_long_as_it_is_remembered(tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE)

    for _ in range(2):
        response = await tus.head(place)
        assert response.headers["upload-offset"] == response.headers["upload-length"] == str(len(PICTURE))
        assert "upload-expires" not in response.headers


async def test_is_never_cached(tus: Speaker) -> None:
    assert (await tus.head(await tus.begin(10))).headers["cache-control"] == "no-store"


async def test_tells_the_metadata_as_it_was_sent(tus: Speaker) -> None:
    metadata = f"is_confidential,{coded(filename='Zürich.jpg')}"
    response = await tus.post(10, Upload_Metadata=metadata)

    assert (await tus.head(PLACE + response.headers["location"])).headers["upload-metadata"] == metadata
    assert "upload-metadata" not in (await tus.head(await tus.begin(10))).headers


@pytest.mark.parametrize(
    "name", ["24e533e0-2ec3-4c40-8387-f1a0e460e216", "24e533e02ec3bc40c387f1a0e460e216", "..", "%2e%2e", "note.json"]
)
async def test_an_unknown_upload_has_no_offset(tus: Speaker, name: str) -> None:
    response = await tus.head(PLACE + name)

    assert response.status_code in {404, 405}
    assert "upload-offset" not in response.headers


async def test_a_place_has_one_name_only(tus: Speaker) -> None:
    place = await tus.begin(10)

    assert (await tus.head(PLACE + place.removeprefix(PLACE).upper())).status_code == 404


async def test_a_wrong_version_is_not_processed(tus: Speaker) -> None:
    response = await tus.head(await tus.begin(10), Tus_Resumable="0.2.2")

    assert response.status_code == 412
    assert "upload-offset" not in response.headers
