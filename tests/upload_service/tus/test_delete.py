"""``DELETE``: an upload is ended."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.pictures import photo
from tests.upload_service.conftest import Service
from tests.upload_service.tus.speaker import PLACE, Speaker, check_problem

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)


async def test_an_ended_upload_is_gone_with_its_bytes(service: Service, tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE[:100])
    response = await tus.delete(place)

    assert (response.status_code, response.headers["tus-resumable"]) == (204, "1.0.0")
    assert (await tus.head(place)).status_code == 404
    check_problem(await tus.patch(place, 100, PICTURE[100:]), 404, "not-found")
    check_problem(await tus.delete(place), 404, "not-found")
    assert not (service.contents.spool.tus / place.removeprefix(PLACE)).exists()
    assert service.contents.begun == []


async def test_a_picture_that_is_stored_stays(service: Service, tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE)

    assert (await tus.delete(place)).status_code == 204
    assert (await tus.head(place)).status_code == 404
    assert len(service.contents.entries) == 1


async def test_an_unknown_upload_cannot_be_ended(tus: Speaker) -> None:
    check_problem(await tus.delete(PLACE + str(uuid4())), 404, "not-found")


async def test_a_wrong_version_is_not_processed(tus: Speaker) -> None:
    place = await tus.begin(10)

    check_problem(await tus.delete(place, Tus_Resumable=None), 412, "wrong-version")
    assert (await tus.head(place)).status_code == 200
