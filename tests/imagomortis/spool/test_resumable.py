"""Uploads in pieces: one writer at a time holds an upload, and its bytes are durable before a client is told."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from imagomortis.errors import DiskFull, NotFound, Unavailable
from imagomortis.spool import resumable as parts_module
from imagomortis.spool.resumable import Locked, Note, ResumableUpload, ResumableUploads, Unfinished
from imagomortis.spool.spool import Spool
from tests.support.uploads import upload

DATA = b"the bytes of a picture"
NOTE = Note(length=len(DATA), filename="a.jpg")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    return spool


@pytest.fixture
def uploads(spool: Spool) -> ResumableUploads:
    return ResumableUploads(spool, 60)


@pytest.fixture
def arriving(uploads: ResumableUploads) -> ResumableUpload:
    return uploads.begin(NOTE)


def test_one_at_a_time_holds_an_upload(uploads: ResumableUploads, arriving: ResumableUpload) -> None:
    with pytest.raises(Locked):
        uploads.open(arriving.id)
    arriving.close()

    uploads.open(arriving.id).close()


def test_its_lock_ends_with_it_though_a_child_that_is_being_started_has_a_copy(
    uploads: ResumableUploads, arriving: ResumableUpload
) -> None:
    note = arriving.draft.folder.parent / "note.json"
    opened = [
        int(each.name) for each in Path("/proc/self/fd").iterdir() if each.is_symlink() and each.readlink() == note
    ]
    copies = [os.dup(each) for each in opened]
    arriving.close()

    uploads.open(arriving.id).close()
    assert copies
    for each in copies:
        os.close(each)


def test_another_writer_goes_on_where_the_first_one_was(uploads: ResumableUploads, arriving: ResumableUpload) -> None:
    arriving.write([DATA[:5], DATA[5:7]])
    arriving.close()
    again = uploads.open(arriving.id)

    assert (again.offset, again.note) == (7, NOTE)
    again.write([DATA[7:]])
    assert again.is_whole
    assert again.whole_file() == (again.draft.original, hashlib.sha256(DATA).digest())


def test_the_last_byte_is_missing_until_the_picture_is_stored(
    spool: Spool, uploads: ResumableUploads, arriving: ResumableUpload
) -> None:
    arriving.write([DATA])
    assert uploads.look(arriving.id).offset == len(DATA) - 1
    arriving.close()

    again = uploads.open(arriving.id)
    again.write([DATA[-1:]])
    again.store(upload(DATA, id=arriving.id))

    assert uploads.look(arriving.id).offset == len(DATA)
    assert spool.read_bytes(spool.read(spool.ready / str(arriving.id))) == DATA
    again.close()
    assert uploads.open(arriving.id).is_complete


def test_acknowledged_bytes_are_on_the_disk(uploads: ResumableUploads, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    arriving = uploads.begin(NOTE)
    monkeypatch.setattr(os, "fsync", watch)
    arriving.write([DATA[:5]])
    assert arriving.progress().offset == 5
    assert synced == ["note.json", "entry", str(arriving.id), "tus", "original"]

    arriving.write([DATA[5:7]])
    synced.clear()
    assert uploads.look(arriving.id).offset == 7
    assert synced == ["original"]


def test_bytes_that_are_held_count_only_when_they_are_accepted(
    uploads: ResumableUploads, arriving: ResumableUpload
) -> None:
    arriving.hold([DATA[:3], DATA[3:6]])
    assert uploads.look(arriving.id).offset == 0
    arriving.accept()
    assert uploads.look(arriving.id).offset == 6
    arriving.close()

    again = uploads.open(arriving.id)
    again.hold([b"other bytes"])
    again.close()
    assert uploads.look(arriving.id).offset == 6


def test_a_removed_upload_is_gone_whoever_waits_for_it(
    spool: Spool, uploads: ResumableUploads, arriving: ResumableUpload
) -> None:
    arriving.write([DATA[:5]])
    arriving.remove()
    arriving.close()

    for ask in (uploads.look, uploads.open):
        with pytest.raises(NotFound):
            ask(arriving.id)
    assert list(spool.tus.iterdir()) == list(spool.incoming.iterdir()) == []


def test_an_upload_that_crashed_at_its_beginning_does_not_exist(spool: Spool, uploads: ResumableUploads) -> None:
    identifier = uuid4()
    (spool.tus / str(identifier) / "entry").mkdir(parents=True)
    with pytest.raises(NotFound):
        uploads.look(identifier)
    (spool.tus / str(identifier) / "note.json").write_text('{"length": 1')
    with pytest.raises(NotFound):
        uploads.open(identifier)


def test_a_sweep_leaves_what_grows_and_what_is_not_over(
    spool: Spool, uploads: ResumableUploads, arriving: ResumableUpload
) -> None:
    abandoned = uploads.begin(NOTE)
    for held in (arriving, abandoned):
        for path in (held.draft.original, held.draft.folder, *held.draft.folder.parent.iterdir()):
            os.utime(path, (0, 0))
        os.utime(held.draft.folder.parent, (0, 0))
    arriving.write([DATA[:5]])
    (spool.tus / "foreign").touch()

    assert uploads.sweep() == 1
    assert {path.name for path in spool.tus.iterdir()} == {str(arriving.id), "foreign"}


def test_a_full_disk_and_a_spool_that_is_away_are_told(tmp_path: Path) -> None:
    full = Spool(tmp_path / "full", reserve_bytes=2**62)
    full.prepare()
    with pytest.raises(DiskFull):
        ResumableUploads(full, 60).begin(NOTE)
    assert list(full.tus.iterdir()) == []

    with pytest.raises(Unavailable):
        ResumableUploads(Spool(tmp_path / "away"), 60).begin(NOTE)
    assert not (tmp_path / "away").exists()


# --- limits -----------------------------------------------------------------------------------------------------------


def test_unfinished_uploads_are_counted_and_complete_ones_are_not(
    spool: Spool, arriving: ResumableUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "COUNT_SECONDS", 0.0)
    monkeypatch.setattr(parts_module, "COUNT_SHARE", math.inf)
    uploads = ResumableUploads(spool, 60)  # one that has counted nothing yet
    (spool.tus / "foreign").touch()
    arriving.write([DATA[:5]])
    assert uploads.unfinished() == Unfinished(uploads=1, bytes=len(DATA), missing=len(DATA) - 5)

    other = ResumableUploads(spool, 60).begin(NOTE)
    assert uploads.unfinished() == Unfinished(uploads=2, bytes=2 * len(DATA), missing=2 * len(DATA) - 5)

    other.remove()
    arriving.write([DATA[5:]])
    arriving.store(upload(DATA, id=arriving.id))
    for _ in range(2):
        assert uploads.unfinished() == Unfinished()


def test_no_more_uploads_are_begun_than_may_be_unfinished(spool: Spool) -> None:
    for few in (ResumableUploads(spool, 60, most_uploads=2), ResumableUploads(spool, 60, most_bytes=2 * len(DATA))):
        first, _ = few.begin(NOTE), few.begin(NOTE)
        with pytest.raises(Unavailable, match="2 unfinished uploads"):
            few.begin(NOTE)
        assert len(list(spool.tus.iterdir())) == 2

        first.remove()
        few.begin(NOTE).remove()  # however recently they were counted
        shutil.rmtree(spool.tus)
        spool.tus.mkdir()


def test_space_announced_by_others_is_not_free_for_an_upload(spool: Spool) -> None:
    with_little = Spool(spool.folder, reserve_bytes=spool.free_bytes() - 100 * 2**30)
    uploads, large = ResumableUploads(with_little, 60), Note(length=60 * 2**30, filename="a.jpg")
    with pytest.raises(DiskFull):
        uploads.begin(large, promised=60 * 2**30)
    first = uploads.begin(large)
    with pytest.raises(DiskFull):
        uploads.begin(large)

    first.remove()
    uploads.begin(large)


@pytest.mark.parametrize("way", ["write", "hold"])
def test_the_reserve_is_looked_at_while_bytes_come(spool: Spool, arriving: ResumableUpload, way: str) -> None:
    getattr(arriving, way)([DATA[:5]])
    spool._reserve_bytes = 2**62

    with pytest.raises(DiskFull):
        getattr(arriving, way)([DATA[5:]])
