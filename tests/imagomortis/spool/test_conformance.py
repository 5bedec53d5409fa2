"""The behaviour that all spools share, with an uploader and a pusher that share nothing else."""

from __future__ import annotations

import hashlib
import os
from uuid import UUID, uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.errors import NotFound, Unavailable
from imagomortis.spool.any_spool import AnySpool, AnyUpload, AnyUploads
from imagomortis.spool.resumable import Gone, Locked, Note, Unfinished
from imagomortis.spool.spool import ForeignEntry
from imagomortis.storage.object_store import PART
from imagomortis.work.ingest import ingest
from tests.imagomortis.spool.conftest import Open
from tests.support.uploads import upload

DATA = b"the bytes of a picture"
NOTE = Note(length=len(DATA), filename="a.jpg", metadata="filename YS5qcGc=")


@pytest.fixture
def uploader(opened: Open) -> AnySpool:
    return opened("uploader").spool


@pytest.fixture
def pusher(opened: Open) -> AnySpool:
    return opened("pusher").spool


@pytest.fixture
def uploads(opened: Open) -> AnyUploads:
    return opened("uploader").uploads(600)


@pytest.fixture
def others(opened: Open) -> AnyUploads:
    """The uploads as another uploader sees them."""
    return opened("another").uploads(600)


def stored(spool: AnySpool, data: bytes = DATA, **fields: object) -> UUID:
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        spool.store(draft, upload(data, id=draft.id, **fields))
    return draft.id


def contents(spool: AnySpool) -> dict[UUID, object]:
    """Return what a pusher gets: the bytes of each entry, or why it has none."""
    entries = [entry for _, entry in spool.read_all(spool.scan(100)) if not isinstance(entry, ForeignEntry)]
    return {entry.upload.id: data for entry, data in spool.contents(entries)}


class TestEntries:
    def test_a_stored_entry_is_there_for_a_pusher_with_its_bytes(self, uploader: AnySpool, pusher: AnySpool) -> None:
        given = {stored(uploader, data): data for data in (b"one", b"two", b"three")}
        assert contents(pusher) == given
        assert pusher.count() == 3

    def test_a_draft_that_is_not_stored_is_no_entry_and_leaves_nothing(self, uploader: AnySpool) -> None:
        with uploader.draft() as draft:
            draft.original.write_bytes(DATA)
        assert uploader.scan(10) == []
        assert not draft.folder.exists()

    def test_storing_again_changes_nothing(self, uploader: AnySpool, pusher: AnySpool) -> None:
        identifier = stored(uploader)
        with uploader.draft() as draft:
            draft.original.write_bytes(DATA)
            again = type(draft)(identifier, draft.folder)
            uploader.store(again, upload(DATA, id=identifier))
        assert contents(pusher) == {identifier: DATA}

    def test_every_entry_has_its_turn(self, uploader: AnySpool, pusher: AnySpool) -> None:
        given = {stored(uploader, b"%d" % number) for number in range(7)}
        seen: set[UUID] = set()
        while seen != given:
            found = pusher.scan(2)
            assert found
            seen |= {UUID(place.name) for place in found}
            pusher.remove(found[0])

    def test_a_removed_entry_is_gone_for_everyone(self, uploader: AnySpool, pusher: AnySpool) -> None:
        stored(uploader)
        [place] = pusher.scan(10)
        [(_, entry)] = pusher.read_all([place])
        assert not isinstance(entry, ForeignEntry)
        pusher.remove(place)
        pusher.remove(place)
        assert list(pusher.read_all([place])) == []
        assert list(pusher.contents([entry])) == []
        assert pusher.reject(place, "It is late.") is None
        assert (pusher.scan(10), pusher.count()) == ([], 0)

    def test_changed_bytes_are_not_passed_on(
        self, uploader: AnySpool, pusher: AnySpool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.storage.object_store.WRONG_PAUSE", 0.001)
        with uploader.draft() as draft:
            draft.original.write_bytes(DATA[::-1])
            uploader.store(draft, upload(DATA, id=draft.id))
        [found] = contents(pusher).values()
        assert isinstance(found, ForeignEntry)

    def test_a_foreign_entry_is_told_and_rejected(self, uploader: AnySpool, pusher: AnySpool) -> None:
        with uploader.draft() as draft:
            draft.original.write_bytes(DATA)
            foreign = upload(DATA, id=draft.id).model_copy(update={"width": 0})
            uploader.store(draft, foreign)
        [(place, error)] = pusher.read_all(pusher.scan(10))
        assert isinstance(error, ForeignEntry)
        assert pusher.reject(place, error.detail)
        assert pusher.scan(10) == []

    def test_entries_become_queued_images(self, uploader: AnySpool, pusher: AnySpool, catalog: Catalog) -> None:
        given = {stored(uploader, data): data for data in (b"one", b"two", b"three")}
        assert ingest(pusher, catalog) == 3
        lease = catalog.queue.lease("run", 5, 15)
        assert lease
        assert catalog.queue.originals(lease.images) == given
        assert pusher.scan(10) == []

    def test_an_entry_that_the_catalog_holds_is_only_removed(
        self, uploader: AnySpool, pusher: AnySpool, catalog: Catalog
    ) -> None:
        identifier = stored(uploader)
        catalog.queue.add([(upload(DATA, id=identifier), DATA)])
        assert ingest(pusher, catalog) == 1
        assert catalog.queue.depth().queued == 1
        assert pusher.scan(10) == []

    def test_entries_wait_while_the_database_is_away(self, uploader: AnySpool, pusher: AnySpool) -> None:
        identifier = stored(uploader)
        nowhere = "host=127.0.0.1 port=1 dbname=nowhere connect_timeout=1"
        with Catalog(nowhere, patience=0.1) as catalog, pytest.raises(Unavailable):
            ingest(pusher, catalog)
        assert contents(pusher) == {identifier: DATA}


def sent(upload: AnyUpload, data: bytes) -> int:
    """Send bytes as one request, and return the offset that the client is told."""
    upload.write([data])
    offset = upload.progress().offset
    upload.close()
    return offset


def finished(part: AnyUpload) -> None:
    file, sha256 = part.whole_file()
    assert hashlib.sha256(file.read_bytes()).digest() == sha256
    part.store(upload(file.read_bytes(), id=part.id))


class TestPieces:
    def test_another_uploader_goes_on_where_the_first_one_was(
        self, uploads: AnyUploads, others: AnyUploads, pusher: AnySpool
    ) -> None:
        first = uploads.begin(NOTE)
        assert sent(first, DATA[:5]) == 5
        assert others.look(first.id).offset == 5
        second = others.open(first.id)
        assert (second.offset, second.note) == (5, NOTE)
        assert sent(second, DATA[5:9]) == 9
        third = uploads.open(first.id)
        third.write([DATA[9:]])
        assert third.is_whole
        finished(third)
        assert third.progress().expires is None
        third.close()
        assert contents(pusher) == {first.id: DATA}
        assert (others.look(first.id).offset, others.look(first.id).expires) == (len(DATA), None)
        assert others.open(first.id).is_complete

    def test_a_large_upload_is_kept_while_it_arrives(
        self, uploads: AnyUploads, others: AnyUploads, pusher: AnySpool
    ) -> None:
        data = os.urandom(PART + 1000)
        part = uploads.begin(Note(length=len(data), filename="a.jpg"))
        part.write([data[:PART], data[PART:-1]])
        assert others.look(part.id).offset >= PART
        part.close()
        rest = others.open(part.id)
        assert rest.offset == len(data) - 1
        rest.write([data[-1:]])
        finished(rest)
        rest.close()
        assert contents(pusher) == {part.id: data}

    def test_the_last_byte_is_missing_until_the_picture_is_stored(
        self, uploads: AnyUploads, others: AnyUploads, pusher: AnySpool
    ) -> None:
        part = uploads.begin(NOTE)
        part.write([DATA])
        assert part.is_whole
        assert part.progress().offset == len(DATA) - 1
        part.close()  # it dies before the check
        assert others.look(part.id).offset == len(DATA) - 1
        again = others.open(part.id)
        again.write([DATA[-1:]])
        finished(again)
        again.close()
        assert contents(pusher) == {part.id: DATA}

    def test_bytes_that_are_held_count_only_when_they_are_accepted(
        self, uploads: AnyUploads, others: AnyUploads
    ) -> None:
        part = uploads.begin(NOTE)
        assert sent(part, DATA[:5]) == 5
        dropped = uploads.open(part.id)
        dropped.hold([b"xxxx"])
        assert dropped.progress().offset == 5
        dropped.close()
        accepted = others.open(part.id)
        accepted.hold([DATA[5:7], DATA[7:9]])
        accepted.accept()
        assert accepted.progress().offset == 9
        accepted.close()
        last = uploads.open(part.id)
        last.write([DATA[9:]])
        assert last.whole_file()[0].read_bytes() == DATA
        last.close()

    def test_one_request_at_a_time_holds_an_upload(self, uploads: AnyUploads) -> None:
        part = uploads.begin(NOTE)
        with pytest.raises(Locked):
            uploads.open(part.id)
        part.close()
        uploads.open(part.id).close()

    def test_a_removed_upload_is_gone_for_everyone(self, uploads: AnyUploads, others: AnyUploads) -> None:
        part = uploads.begin(NOTE)
        part.write([DATA[:5]])
        part.progress()
        part.remove()
        part.remove()
        part.close()
        for ask in (others.look, others.open, uploads.open):
            with pytest.raises(NotFound):
                ask(part.id)
        with pytest.raises(NotFound):
            others.look(uuid4())

    def test_an_idle_upload_expires_and_is_swept(self, opened: Open) -> None:
        expired, part = opened("uploader").uploads(-60), opened("uploader").uploads(600).begin(NOTE)
        sent(part, DATA[:5])
        with pytest.raises(Gone):
            expired.look(part.id)
        assert opened("pusher").uploads(600).sweep() == 0
        assert opened("pusher").uploads(-60).sweep() == 1
        with pytest.raises(NotFound):
            expired.look(part.id)

    def test_no_more_uploads_are_begun_than_may_be_unfinished(self, opened: Open) -> None:
        uploads = opened("uploader").uploads(600, most_uploads=2)
        first, _ = uploads.begin(NOTE), uploads.begin(NOTE)
        with pytest.raises(Unavailable):
            uploads.begin(NOTE)
        first.remove()
        first.close()
        uploads.begin(NOTE).close()
        few = opened("another").uploads(600, most_bytes=2 * len(DATA) + 1)
        assert (few.unfinished().uploads, few.unfinished().bytes) == (2, 2 * len(DATA))
        with pytest.raises(Unavailable):
            few.begin(NOTE)

    def test_a_complete_upload_is_not_unfinished(self, opened: Open) -> None:
        part = opened("uploader").uploads(600).begin(NOTE)
        part.write([DATA])
        finished(part)
        part.close()
        assert opened("another").uploads(600).unfinished() == Unfinished()
