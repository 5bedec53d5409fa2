"""Promises: what clients have announced counts against the disk's reserve before it comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from imagomortis.errors import DiskFull
from imagomortis.spool.resumable import Note, ResumableUploads
from imagomortis.spool.spool import Spool
from upload_service.body import Body
from upload_service.store.announced_bytes import Promises
from upload_service.store.intake import DraftFile

LARGE = 60 * 2**30


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool with room for one large upload, and not for two."""
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    return Spool(spool.folder, reserve_bytes=spool.free_bytes() - 100 * 2**30)


def announced(count: int) -> Body:
    async def silence() -> Message:
        raise AssertionError

    return Body(Headers({"content-length": str(count)}), silence, count, 60)


def test_bodies_that_are_still_to_come_take_space(spool: Spool) -> None:
    promises = Promises(spool, None)
    first, second = announced(LARGE), announced(LARGE)
    for _ in range(2):  # one form may have many files
        promises.make(first)
    assert promises.bytes == LARGE

    with pytest.raises(DiskFull):
        promises.make(second)
    promises.end(first)
    promises.make(second)


def test_the_rest_of_an_unfinished_upload_takes_space(spool: Spool) -> None:
    uploads = ResumableUploads(spool, 60)
    arriving = uploads.begin(Note(length=LARGE, filename="a.jpg"))
    promises = Promises(spool, uploads)

    with pytest.raises(DiskFull):
        promises.make(announced(LARGE))
    arriving.remove()
    Promises(spool, ResumableUploads(spool, 60)).make(announced(LARGE))


def test_the_reserve_is_looked_at_while_a_file_comes(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    file = DraftFile(spool, lambda: None)
    file.append([b"some bytes"])
    spool._reserve_bytes = 2**62

    with pytest.raises(DiskFull):
        file.append([b"more bytes"])
    file.discard()
