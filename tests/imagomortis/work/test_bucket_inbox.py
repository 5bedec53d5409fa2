"""Bucket inboxes: objects are taken in once, set aside or remembered, and none is lost or holds up the others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.inbox_sources import InboxSource
from imagomortis.settings import Settings
from imagomortis.spool.spool import Entry, Spool
from imagomortis.storage import opened_at
from imagomortis.storage.object_store import ObjectStore
from imagomortis.storage.storage import Stored
from imagomortis.work import bucket_inbox
from imagomortis.work.bucket_inbox import BucketInboxes, Looked, object_id
from imagomortis.work.ingest import ingest
from tests.support import faulty
from tests.support.object_storage import BUCKET, S3Server
from tests.support.pictures import PDF, photo

PICTURE = photo(48, 32)


@dataclass
class Bucket:
    """A store with a source in it, and the system that takes the objects of the source in."""

    root: str
    catalog: Catalog
    spool: Spool
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.store = opened_at(Settings.read(storage_endpoint=self.endpoint), self.root)
        self.cursors: dict[str, str] = {}

    def inboxes(self, take: str = "move", recipe: str = "", **settings: Any) -> BucketInboxes:
        """Return a new process's inboxes."""
        source = InboxSource(url=f"{self.root}/in", take=take, recipe=recipe)
        given = {
            "check_seconds": 120,
            "storage_endpoint": self.endpoint,
            "inboxes": f"[{source.model_dump_json()}]",
            **settings,
        }
        return BucketInboxes(self.catalog, self.spool, Settings.read(**given))

    def look(self, inboxes: BucketInboxes | None = None, seconds: float = 600, **given: Any) -> Looked:
        """Look once, and keep the cursor."""
        found = inboxes or self.inboxes(**given)
        self.cursors, looked = found.look(self.cursors, time.monotonic() + seconds)
        return looked

    def put(self, name: str, data: bytes = PICTURE, age: float = 60) -> None:
        """Put an object, as another program does; a file gets an age, by default a complete one."""
        if not self.root.startswith("file:"):
            self.store.put({name: data})
            return
        path, old = Path(self.root.removeprefix("file://")) / name, time.time() - age
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (old, old))

    @property
    def names(self) -> list[str]:
        """The names of all objects."""
        return sorted(each.name for folder in ("in", "taken", "rejected") for each in self.store.listed(folder=folder))

    @property
    def entries(self) -> list[Entry]:
        """The spool's entries, by file name."""
        found = [self.spool.read(folder) for folder in self.spool.scan(100)]
        return sorted(found, key=lambda entry: entry.upload.filename)

    def images(self) -> list[UUID]:
        """Take the spool in, and return the ids of all images."""
        ingest(self.spool, self.catalog)
        with self.catalog.database.connection() as connection:
            return [row["id"] for row in connection.execute("SELECT id FROM images").fetchall()]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    found = Spool(tmp_path / "spool")
    found.prepare()
    return found


@pytest.fixture
def folder(catalog: Catalog, spool: Spool, tmp_path: Path) -> Bucket:
    return Bucket(f"file://{tmp_path}/bucket", catalog, spool)


@pytest.fixture
def s3(s3_server: S3Server, catalog: Catalog, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    return Bucket(f"s3://{BUCKET}/{uuid4()}", catalog, spool, s3_server.endpoint)


@pytest.fixture(params=["folder", "s3"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    found: Bucket = request.getfixturevalue(request.param)
    return found


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_an_object_is_stored_with_the_recipe_of_its_source_and_moved(bucket: Bucket) -> None:
    bucket.put("in/2026/Zürich (1).jpg")
    assert bucket.look(recipe="web") == Looked(1, 0, [])
    [entry] = bucket.entries
    assert entry.original.read_bytes() == PICTURE
    assert (entry.upload.filename, entry.upload.recipe_name) == ("Zürich (1).jpg", "web")
    assert bucket.names == ["taken/2026/Zürich (1).jpg"]
    assert [(each.outcome, each.objects, each.bytes) for each in bucket.catalog.bucket_objects.counts()] == [
        ("stored", 1, len(PICTURE))
    ]


def test_a_taken_object_can_be_deleted(bucket: Bucket) -> None:
    bucket.put("in/a.jpg")
    assert bucket.look(take="delete").stored == 1
    assert bucket.names == []
    assert len(bucket.entries) == 1


def test_an_object_that_stays_is_taken_once_for_each_version(bucket: Bucket) -> None:
    bucket.put("in/a.jpg")
    assert [bucket.look(take="keep").stored for _ in range(2)] == [1, 0]
    bucket.put("in/a.jpg", photo(40, 40))
    assert [bucket.look(take="keep").stored for _ in range(2)] == [1, 0]
    assert bucket.names == ["in/a.jpg"]
    assert len(bucket.images()) == 2


def test_an_object_is_taken_again_if_it_is_put_again_after_its_move(folder: Bucket) -> None:
    for _ in range(2):
        folder.put("in/a.jpg")
        assert folder.look().stored == 1
    assert [name.partition("/")[0] for name in folder.names] == ["taken", "taken"]
    assert len(folder.images()) == 2


def test_a_refused_object_is_moved_with_its_reason(bucket: Bucket) -> None:
    bucket.put("in/a/report.pdf", PDF)
    bucket.put("in/b.jpg")
    assert bucket.look() == Looked(1, 1, [])
    assert bucket.names == ["rejected/a/report.pdf", "rejected/a/report.pdf.reason.txt", "taken/b.jpg"]
    assert b"PDF" in bucket.store.read("rejected/a/report.pdf.reason.txt", 0, 1000)
    assert bucket.store.read("rejected/a/report.pdf", 0, 10**6) == PDF


def test_a_refused_object_that_stays_is_remembered_with_its_reason(bucket: Bucket) -> None:
    bucket.put("in/report.pdf", PDF)
    assert [bucket.look(take="keep").refused for _ in range(2)] == [1, 0]
    [refusal] = bucket.catalog.bucket_objects.refusals(10)
    assert refusal.name == "in/report.pdf"
    assert "PDF" in refusal.refusal


def test_a_too_large_object_is_refused_without_a_download(folder: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("in/a.jpg")
    monkeypatch.setattr(ObjectStore, "read", lambda *_: pytest.fail("it was downloaded"))
    assert folder.look(take="keep", max_upload_bytes=len(PICTURE) - 1) == Looked(0, 1, [])


def test_an_object_of_several_parts_comes_whole(folder: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_inbox, "PART", len(PICTURE) // 3)
    folder.put("in/a.jpg")
    assert folder.look().stored == 1
    assert folder.entries[0].original.read_bytes() == PICTURE


def test_names_of_transfers_and_files_that_still_change_are_left_alone(folder: Bucket) -> None:
    for name in ("in/.a.jpg.Xy12", "in/.git/a.jpg", "in/a.jpg.part"):
        folder.put(name)
    folder.put("in/new.jpg", PICTURE[:100], age=-3600)
    assert folder.look() == Looked(0, 0, [])
    assert len(folder.names) == 4


# --- pages ------------------------------------------------------------------------------------------------------------


def test_ten_thousand_known_objects_are_passed_by_pages(folder: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_inbox, "MOST_PAGES", 4)
    monkeypatch.setattr(bucket_inbox, "IDLE_FACTOR", 0)
    for number in range(10_000):
        folder.put(f"in/{number % 10}/{number:05}.jpg", b"known")
    source = InboxSource(url=f"{folder.root}/in", take="keep")
    ids = [object_id(source, each) for each in folder.store.listed(folder="in")]
    with folder.catalog.database.connection() as connection:
        connection.execute("INSERT INTO seen_objects (id) SELECT * FROM unnest(%s::uuid[])", [ids])
    folder.put("in/9/new.jpg")
    inboxes = folder.inboxes(take="keep")
    cursors = []
    for _ in range(3):
        folder.look(inboxes)
        cursors.append(folder.cursors.get(source.url))
    assert cursors == ["in/3/09993.jpg", "in/7/09997.jpg", None]
    assert [entry.upload.filename for entry in folder.entries] == ["new.jpg"]


def test_a_look_ends_in_time_and_the_next_one_goes_on(folder: Bucket) -> None:
    for number in range(9):
        folder.put(f"in/{number}.jpg")
    inboxes = folder.inboxes()
    assert [folder.look(inboxes, seconds=0).stored for _ in range(3)] == [4, 4, 1]
    assert len(folder.images()) == 9


def test_a_long_list_without_news_is_left_alone_for_a_while(folder: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_inbox, "MOST_PAGES", 1)
    monkeypatch.setattr(bucket_inbox, "PAGE", 2)
    monkeypatch.setattr(bucket_inbox, "IDLE_FACTOR", 10**6)
    for name in ("a", "b", "c"):
        folder.put(f"in/.{name}")
    folder.put("in/d.jpg")
    inboxes = folder.inboxes()
    looks = [folder.look(inboxes) for _ in range(3)]
    assert [look.stored for look in looks] == [0, 0, 0]
    assert folder.cursors == {f"{folder.root}/in": "in/.b"}


# --- faults -----------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The end of the process."""


@pytest.mark.parametrize(("take", "is_ingested"), [("move", True), ("move", False), ("delete", True), ("keep", False)])
def test_a_crash_before_an_object_is_set_aside_takes_nothing_twice(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, take: str, is_ingested: bool
) -> None:
    def crash(*_: object) -> None:
        raise Crash

    bucket.put("in/a.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "copy", crash)
        patch.setattr(ObjectStore, "delete", crash)
        patch.setattr(type(bucket.catalog.bucket_objects), "note", crash)
        with pytest.raises(Crash):
            bucket.look(take=take)
    before = bucket.images() if is_ingested else [entry.upload.id for entry in bucket.entries]
    assert bucket.look(take=take).stored == 1
    assert bucket.names == {"move": ["taken/a.jpg"], "delete": [], "keep": ["in/a.jpg"]}[take]
    assert bucket.images() == before


def test_a_crash_between_copy_and_removal_leaves_the_object_moved(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise Crash

    bucket.put("in/report.pdf", PDF)
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", crash)
        with pytest.raises(Crash):
            bucket.look()
    assert bucket.look().refused == 1
    assert not [name for name in bucket.names if name.startswith("in/")]
    assert "rejected/report.pdf" in bucket.names


def test_an_object_that_is_replaced_meanwhile_is_taken_later(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = ObjectStore.copy
    newer = photo(40, 40)

    def copy_after_another_program(store: ObjectStore, name: str, other: str) -> None:
        monkeypatch.undo()
        bucket.put("in/a.jpg", newer)
        copy(store, name, other)

    bucket.put("in/a.jpg")
    endpoint = bucket.inboxes()
    monkeypatch.setattr(ObjectStore, "copy", copy_after_another_program)
    bucket.look(endpoint)
    assert "in/a.jpg" in bucket.names
    bucket.look(endpoint)
    assert "in/a.jpg" not in bucket.names
    assert {entry.original.read_bytes() for entry in bucket.entries} == {PICTURE, newer}


def test_an_object_that_cannot_be_read_rests_and_holds_up_no_other(
    folder: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tried = ObjectStore.read, []

    def refuse_one(store: ObjectStore, name: str, start: int, length: int) -> bytes:
        if name == "in/a.jpg":
            tried.append(name)
            raise Unavailable("The storage refuses this (AccessDenied).", retry_after=5)
        return read(store, name, start, length)

    monkeypatch.setattr(ObjectStore, "read", refuse_one)
    for name in ("a", "b", "c"):
        folder.put(f"in/{name}.jpg")
    inboxes = folder.inboxes()
    monkeypatch.setattr(bucket_inbox, "REST_SECONDS", 3600)
    assert folder.look(inboxes) == Looked(2, 0, [])
    assert folder.look(inboxes) == Looked(0, 0, [])
    assert folder.names == ["in/a.jpg", "taken/b.jpg", "taken/c.jpg"]
    assert len(tried) == 1
    monkeypatch.undo()
    monkeypatch.setattr(bucket_inbox, "REST_SECONDS", 0)
    assert folder.look(folder.inboxes()) == Looked(1, 0, [])


def test_the_marker_of_a_folder_rests(folder: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    marker, tried = Stored("in/2026", 0, datetime(2026, 1, 1, tzinfo=UTC), ""), []  # obstore lists it without its slash
    monkeypatch.setattr(bucket_inbox, "REST_SECONDS", 3600)
    monkeypatch.setattr(type(folder.store), "listed", lambda *_: iter([marker]))
    monkeypatch.setattr(ObjectStore, "head", lambda _, name: tried.append(name))
    inboxes = folder.inboxes()
    assert [folder.look(inboxes) for _ in range(2)] == [Looked(0, 0, [])] * 2
    assert tried == ["in/2026"]


@pytest.fixture
def proxied(s3: Bucket, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bucket, faulty.Proxy]]:
    """The bucket behind a proxy, with little patience."""
    monkeypatch.setattr("imagomortis.storage.object_store.RETRY", {"max_retries": 0})
    with faulty.in_front_of(s3_server.endpoint) as proxy:
        yield Bucket(s3.root, s3.catalog, s3.spool, proxy.address), proxy


def test_an_object_of_which_a_part_comes_waits(proxied: tuple[Bucket, faulty.Proxy]) -> None:
    bucket, proxy = proxied
    bucket.put("in/a.jpg")
    inboxes = bucket.inboxes()
    proxy.fault, proxy.faultless, proxy.faults = "short", proxy.requests + 1, 1  # the list comes whole
    assert bucket.look(inboxes) == Looked(0, 0, [f"{bucket.root}/in"])
    assert (bucket.names, bucket.entries) == (["in/a.jpg"], [])
    bucket.cursors.clear()
    assert bucket.look() == Looked(1, 0, [])


@pytest.mark.parametrize("take", ["move", "keep"])
def test_nothing_is_marked_while_the_store_is_away_and_that_is_logged_once(
    proxied: tuple[Bucket, faulty.Proxy], take: str, caplog: pytest.LogCaptureFixture
) -> None:
    bucket, proxy = proxied
    bucket.put("in/a.jpg")
    bucket.put("in/b.pdf", PDF)
    inboxes = bucket.inboxes(take=take)
    proxy.fault = "503"
    looks = [bucket.look(inboxes) for _ in range(3)]
    assert looks == [Looked(0, 0, [f"{bucket.root}/in"])] * 3
    assert [record.message for record in caplog.records].count("waiting") == 1
    proxy.fault = "none"
    assert bucket.look(inboxes) == Looked(1, 1, [])
    assert bucket.catalog.bucket_objects.refusals(1) == [] or take == "keep"
