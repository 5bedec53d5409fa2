"""The extension ``expiration``: what nobody goes on with is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from imagomortis.spool.resumable import ResumableUploads
from tests.support.pictures import photo
from tests.upload_service.conftest import Start
from tests.upload_service.tus.speaker import PLACE, Speaker, check_problem

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)


async def test_an_expired_upload_is_gone_even_before_it_is_swept(start: Start) -> None:
    async with start(upload_keep_seconds=60) as service:
        tus = Speaker(service.client)
        place = await tus.begin(len(PICTURE))
        folder = service.contents.spool.tus / place.removeprefix(PLACE)
        _let_pass(folder, 40)
        assert (await tus.patch(place, 0, PICTURE[:100])).status_code == 204  # which gives it more time
        _let_pass(folder, 40)
        assert await tus.offset(place) == 100
        _let_pass(folder, 40)

        assert (await tus.head(place)).status_code == 410
        check_problem(await tus.patch(place, 100, PICTURE[100:]), 410, "gone")
        check_problem(await tus.delete(place), 410, "gone")

        assert ResumableUploads(service.contents.spool, 60).sweep() == 1
        assert (await tus.head(place)).status_code == 404
        assert service.contents.begun == []


async def test_a_complete_upload_is_remembered_for_a_while(start: Start) -> None:
    async with start(upload_keep_seconds=60) as service:
        tus = Speaker(service.client)
        place = await tus.begin(len(PICTURE))
        await tus.patch(place, 0, PICTURE)
        uploads = ResumableUploads(service.contents.spool, 60)
        _age(service.contents.spool.tus / place.removeprefix(PLACE), 90)

        assert uploads.sweep(remember_seconds=1200) == 0
        assert await tus.offset(place) == len(PICTURE)
        assert uploads.sweep(remember_seconds=30) == 1
        assert (await tus.head(place)).status_code == 404
        assert len(service.contents.entries) == 1


def _age(folder: os.PathLike[str], seconds: float) -> None:
    then = time.time() - seconds
    for path in (folder, *os.scandir(folder)):
        os.utime(path, (then, then))


def _let_pass(folder: Path, seconds: float) -> None:
    """Make everything in a folder so much older."""
    for path in (folder, *folder.rglob("*")):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))
