"""A spool in an object store that is away or has leftovers, and uploaders that meet at one upload."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.errors import NotFound, Unavailable
from imagomortis.spool.drafts import SpoolAway
from imagomortis.spool.object_spool import ObjectSpool, Pace, Walk
from imagomortis.spool.pieces import ObjectUploads
from imagomortis.spool.resumable import Locked, Note
from imagomortis.spool.spool import Entry
from imagomortis.storage.object_store import Folder, ObjectStore
from imagomortis.storage.storage import Stored
from imagomortis.work.ingest import ingest
from tests.imagomortis.spool.conftest import AT_ONCE
from tests.support import faulty
from tests.support.faulty import Fault, Proxy
from tests.support.object_storage import BUCKET, S3Server
from tests.support.uploads import upload

DATA = b"the bytes of a picture"
NOTE = Note(length=len(DATA), filename="a.jpg")
HASTE = {"retry_config": {"max_retries": 1, "backoff": {"init_backoff": timedelta(milliseconds=10)}}}

AWAY: tuple[Fault, ...] = ("refuse", "503", "429", "cut off")


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with faulty.in_front_of(s3_server.endpoint) as found:
        yield found


@pytest.fixture
def behind(s3_server: S3Server, proxy: Proxy, tmp_path: Path) -> ObjectSpool:
    """A spool behind the proxy."""
    return _spool(s3_server.store(proxy.address, **HASTE), tmp_path)


@pytest.fixture
def spool(tmp_path: Path) -> ObjectSpool:
    return _spool(ObjectStore.of(f"file://{tmp_path}/objects"), tmp_path)


def _spool(store: ObjectStore, folder: Path, pace: Pace = AT_ONCE) -> ObjectSpool:
    found = ObjectSpool(store, folder / "drafts", pace=pace)
    found.prepare()
    return found


def _store(spool: ObjectSpool) -> None:
    with spool.draft() as draft:
        draft.original.write_bytes(DATA)
        spool.store(draft, upload(DATA, id=draft.id))


@pytest.mark.parametrize("fault", AWAY)
def test_no_picture_is_accepted_while_the_store_is_away(behind: ObjectSpool, proxy: Proxy, fault: Fault) -> None:
    proxy.fault = fault
    with pytest.raises(Unavailable) as caught:
        _store(behind)
    assert caught.value.members["retry_after"]
    with pytest.raises(SpoolAway):
        behind.scan(10)
    proxy.fault = "none"
    assert behind.scan(10) == []
    _store(behind)
    assert len(behind.scan(10)) == 1


def test_a_picture_without_its_commit_is_no_entry(behind: ObjectSpool, proxy: Proxy) -> None:
    proxy.faultless, proxy.fault = 1, "503"
    with pytest.raises(Unavailable):
        _store(behind)
    proxy.fault = "none"
    assert behind.scan(10) == []
    assert [each.name.rpartition("/")[2] for each in behind.objects.listed()] == ["original"]


@pytest.mark.parametrize("fault", AWAY)
def test_acknowledged_pieces_outlast_a_fault(behind: ObjectSpool, proxy: Proxy, fault: Fault) -> None:
    uploads = ObjectUploads(behind, 600)
    part = uploads.begin(NOTE)
    part.write([DATA[:5]])
    assert part.progress().offset == 5
    part.write([DATA[5:9]])
    proxy.fault = fault
    with pytest.raises(Unavailable):
        part.progress()
    part.close()
    proxy.fault = "none"
    again = uploads.open(part.id)
    assert again.offset == 5
    again.write([DATA[5:]])
    file, _ = again.whole_file()
    assert file.read_bytes() == DATA
    again.store(upload(DATA, id=part.id))
    again.close()
    assert [place.name for place in behind.scan(10)] == [str(part.id)]


def test_a_piece_of_another_uploader_is_never_replaced(spool: ObjectSpool) -> None:
    one, other = ObjectUploads(spool, 600), ObjectUploads(spool, 600)
    first = one.begin(NOTE)
    second = other.open(first.id)
    first.write([DATA[:5]])
    assert first.progress().offset == 5
    second.write([b"xxxxxxx"])
    with pytest.raises(Locked):
        second.progress()
    second.close()
    first.write([DATA[5:]])
    assert first.whole_file()[0].read_bytes() == DATA
    first.close()
    assert other.look(first.id).offset == len(DATA) - 1


def test_a_crash_before_the_upload_is_noted_as_stored_repeats_the_work(spool: ObjectSpool) -> None:
    uploads = ObjectUploads(spool, 600)
    part = uploads.begin(NOTE)
    part.write([DATA])
    part.progress()
    spool.store(part.draft, upload(DATA, id=part.id))
    part.close()
    again = uploads.open(part.id)
    again.write([DATA[-1:]])
    again.whole_file()
    again.store(upload(DATA, id=part.id))
    assert again.progress().expires is None
    assert [place.name for place in spool.scan(10)] == [str(part.id)]


def test_the_pieces_of_a_complete_upload_are_removed(spool: ObjectSpool) -> None:
    part = ObjectUploads(spool, 600).begin(NOTE)
    part.write([DATA])
    part.progress()
    part.whole_file()
    part.store(upload(DATA, id=part.id))
    part.close()
    names = {each.name.rpartition("/")[2] for each in spool.objects.listed(folder="incoming")}
    assert names == {"stored", f"note-{len(DATA)}"}
    assert list(spool.incoming.iterdir()) == []


def test_what_a_crash_leaves_is_swept_when_it_is_old(spool: ObjectSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    _store(spool)
    spool.objects.put({"ready/crashed/original": DATA, "ready/of others.txt": DATA})
    uploads = ObjectUploads(spool, 600)
    spool.objects.put({"incoming/crashed/00000000000000000000": DATA})
    assert (spool.sweep(60), uploads.sweep()) == (0, 0)
    for module in ("object_spool", "pieces"):
        monkeypatch.setattr(f"imagomortis.spool.{module}.ORPHAN_AGE", timedelta(seconds=-60))
    assert (spool.sweep(60), uploads.sweep()) == (1, 1)
    assert spool.objects.head("ready/of others.txt")
    assert len(spool.scan(10)) == 1


class Marked(Folder):
    """A store in which a program made the folders: obstore lists the object of each one without its slash."""

    def listed(self, after: str = "", folder: str = "") -> Iterator[Stored]:
        if folder in {"incoming", "ready"} and folder > after:
            yield Stored(folder, 0, datetime.now(UTC), "")
        yield from super().listed(after, folder)


def test_markers_of_folders_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = _spool(Marked(tmp_path / "objects"), tmp_path)
    uploads = ObjectUploads(spool, 600)
    _store(spool)
    part = uploads.begin(NOTE)
    spool.objects.put({"incoming/x": b"", "ready/x": b"", "ready/original": b""})
    for module in ("object_spool", "pieces"):
        monkeypatch.setattr(f"imagomortis.spool.{module}.ORPHAN_AGE", timedelta(seconds=-60))
    assert (spool.sweep(60), uploads.sweep()) == (0, 0)
    assert all(map(spool.objects.head, ("incoming/x", "ready/x", "ready/original")))
    assert (len(spool.scan(10)), spool.count()) == (1, 1)
    assert uploads.look(part.id).offset == 0
    assert uploads.unfinished().uploads == 1


def test_an_original_that_is_put_again_during_a_sweep_is_kept(
    spool: ObjectSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page_before_another_put(walk: Walk, limit: int) -> list[Stored]:
        found = page(walk, limit)
        spool.objects.put({"ready/crashed/original": DATA})
        return found

    page = Walk.page
    spool.objects.put({"ready/crashed/original": DATA})
    os.utime(tmp_path / "objects/ready/crashed/original", (0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(Walk, "page", page_before_another_put)
        assert spool.sweep(60) == 0
    os.utime(tmp_path / "objects/ready/crashed/original", (0, 0))
    assert spool.sweep(60) == 1


def test_a_sweep_ends_in_time(spool: ObjectSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = ObjectUploads(spool, 600)
    spool.objects.put({"ready/crashed/original": DATA, "incoming/crashed/00000000000000000000": DATA})
    for module in ("object_spool", "pieces"):
        monkeypatch.setattr(f"imagomortis.spool.{module}.ORPHAN_AGE", timedelta(seconds=-60))
    with monkeypatch.context() as patch:
        patch.setattr("imagomortis.spool.object_spool.SWEEP_SECONDS", 0)
        assert (spool.sweep(60), uploads.sweep()) == (0, 0)
    assert (spool.sweep(60), uploads.sweep()) == (1, 1)


def test_an_uploader_removes_old_drafts_while_it_runs(spool: ObjectSpool) -> None:
    for name, seconds in (("old", 7200.0), ("new", 60.0)):
        folder = spool.incoming / name
        folder.mkdir()
        os.utime(folder, (time.time() - seconds,) * 2)
    spool.check_writable()
    assert [folder.name for folder in spool.incoming.iterdir()] == ["new"]


def test_an_upload_with_a_damaged_note_does_not_exist(spool: ObjectSpool) -> None:
    uploads, identifier = ObjectUploads(spool, 600), uuid4()
    spool.objects.put({f"incoming/{identifier}/note-{len(DATA)}": b"{"})
    with pytest.raises(NotFound):
        uploads.look(identifier)


def test_an_empty_meta_holds_up_no_sweep(spool: ObjectSpool, tmp_path: Path) -> None:
    spool.objects.put({"ready/crashed/original": DATA, "ready/crashed/meta.json": b""})
    os.utime(tmp_path / "objects/ready/crashed/original", (0, 0))
    assert spool.sweep(60) == 0


def test_an_entry_of_which_a_part_comes_waits(behind: ObjectSpool, proxy: Proxy) -> None:
    _store(behind)
    places = behind.scan(10)
    proxy.fault, proxy.faults = "short", 1
    with pytest.raises(SpoolAway):
        list(behind.read_all(places))
    [(_, entry)] = behind.read_all(places)
    assert isinstance(entry, Entry)


def test_an_entry_that_cannot_be_rejected_holds_up_no_other(
    spool: ObjectSpool, catalog: Catalog, tmp_path: Path
) -> None:
    spool.objects.put({f"ready/{uuid4()}/meta.json": b"foreign"})
    _store(spool)
    (tmp_path / "objects/rejected").write_bytes(b"")  # so that no object can be put there
    assert ingest(spool, catalog) == 1
    assert len(spool.scan(10)) == 1


def test_each_access_to_the_entries_tells_that_the_spool_is_away(behind: ObjectSpool, proxy: Proxy) -> None:
    _store(behind)
    [place] = behind.scan(10)
    [(_, entry)] = behind.read_all([place])
    assert isinstance(entry, Entry)
    proxy.fault = "503"
    for access in (
        lambda: list(behind.read_all([place])),
        lambda: list(behind.contents([entry])),
        lambda: behind.remove(place),
        lambda: behind.reject(place, "It is foreign."),
    ):
        with pytest.raises(SpoolAway):
            access()


def test_an_idle_store_is_listed_now_and_then(spool: ObjectSpool, tmp_path: Path) -> None:
    seldom = _spool(spool.objects, tmp_path, Pace(busy=3600, idle=3600))
    assert seldom.scan(10) == []
    _store(spool)
    assert seldom.scan(10) == []
    assert len(spool.scan(10)) == 1


def test_a_rejected_entry_is_kept_with_its_reason(spool: ObjectSpool) -> None:
    _store(spool)
    [place] = spool.scan(10)
    target = spool.reject(place, "It is foreign.")
    assert target
    assert spool.objects.read(f"{target}/original", 0, 100) == DATA
    assert spool.objects.read(f"{target}/reason.txt", 0, 100) == b"It is foreign.\n"
    assert list(spool.objects.listed(folder="ready")) == []


class TestInOneBucket:
    """The storage of pictures is below another prefix of the spool's bucket."""

    @pytest.fixture
    def place(self, s3_server: S3Server) -> Callable[[str], ObjectStore]:
        root = f"s3://{BUCKET}/{uuid4()}"
        return lambda prefix: ObjectStore.of(f"{root}/{prefix}", s3_server.endpoint, s3_server.variables)

    @pytest.fixture
    def spool(self, place: Callable[[str], ObjectStore], tmp_path: Path) -> ObjectSpool:
        return _spool(place("spool"), tmp_path)

    @pytest.fixture
    def stored(self, place: Callable[[str], ObjectStore], database: str) -> Iterator[Catalog]:
        with Catalog(database, objects=place("pictures")) as found:
            yield found

    def test_an_original_is_copied_by_the_store(self, spool: ObjectSpool, stored: Catalog) -> None:
        _store(spool)
        assert ingest(spool, stored) == 1
        assert "get" not in {use.operation for use in spool.objects.usage.take()}
        lease = stored.queue.lease("run", 1, 15)
        assert lease
        assert list(stored.queue.originals(lease.images).values()) == [DATA]
        assert list(spool.objects.listed()) == []

    def test_an_entry_without_its_original_is_rejected_and_holds_up_no_other(
        self, spool: ObjectSpool, stored: Catalog
    ) -> None:
        _store(spool)
        [place] = spool.scan(10)
        spool.objects.delete([f"{place}/original"])
        _store(spool)
        assert ingest(spool, stored) == 1
        assert spool.scan(10) == []
        assert spool.objects.head(f"rejected/{place.name}/reason.txt")
