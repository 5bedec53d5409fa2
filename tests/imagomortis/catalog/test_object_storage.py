"""A catalog with an object store: where bytes go, and in which order."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.catalog.images import CHUNK
from imagomortis.catalog.queue import Lease
from imagomortis.errors import BytesDamaged, Unavailable
from imagomortis.settings import Settings
from imagomortis.storage import Name, Storage, opened, original_name
from imagomortis.storage.object_store import Folder
from imagomortis.storage.storage import NOTHING
from tests.support.uploads import arrivals, result, upload

NOW = timedelta(0)


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    found = opened(Settings(storage=f"file://{tmp_path}/store"))
    assert found is not None
    return found


@pytest.fixture
def stored(database: str, store: Storage) -> Iterator[Catalog]:
    """A catalog with an object store."""
    with Catalog(database, objects=store) as found:
        yield found


def add(catalog: Catalog, count: int = 1) -> Lease:
    """Add images and lease them."""
    catalog.queue.add(arrivals(count))
    lease = catalog.queue.lease("run", count, 15)
    assert lease is not None
    return lease


def in_rows(catalog: Catalog) -> int:
    """Count the rows that have bytes."""
    with catalog.database.connection() as connection:
        row = connection.execute(
            "SELECT (SELECT count(bytes) FROM originals) + (SELECT count(bytes) FROM renditions) AS bytes"
        ).fetchone()
    assert row is not None
    return int(row["bytes"])


def names(store: Storage) -> set[str]:
    return {each.name for each in store.listed()}


@contextmanager
def broken(store: Storage, monkeypatch: pytest.MonkeyPatch, method: str) -> Iterator[None]:
    def fail(*_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, method, fail)
        yield


def test_no_bytes_are_in_the_rows(stored: Catalog, store: Storage) -> None:
    lease = add(stored)
    image = lease.images[0]
    done = result(image)
    assert stored.queue.save(lease.token, [done]) == {image.id}
    assert in_rows(stored) == 0
    digests = {each.kind: hashlib.sha256(each.data).hexdigest() for each in done.renditions}
    assert names(store) == {
        f"{image.id}/original",
        f"{image.id}/processed-{digests['processed']}",
        f"{image.id}/thumbnail-{digests['thumbnail']}",
    }


def test_a_worker_gets_originals_from_the_store(stored: Catalog) -> None:
    both = arrivals(2)
    stored.queue.add(both)
    lease = stored.queue.lease("run", 2, 15)
    assert lease is not None
    assert stored.queue.originals(lease.images) == {new.id: data for new, data in both}


def test_a_lost_original_damages_only_its_image(stored: Catalog, store: Storage) -> None:
    lost, kept = add(stored, 2).images
    store.delete([original_name(lost.id)])
    found = stored.queue.originals([lost, kept])
    assert isinstance(found[lost.id], BytesDamaged)
    assert isinstance(found[kept.id], bytes)


@pytest.mark.parametrize("head", [0, 3, 100])
def test_a_picture_has_its_first_bytes(stored: Catalog, head: int) -> None:
    lease = add(stored)
    stored.queue.save(lease.token, [result(lease.images[0], b"processed bytes")])
    picture = stored.images.picture(lease.images[0].id, head=head)
    assert picture is not None
    assert picture.head == b"processed bytes"[:head]


@pytest.mark.anyio
async def test_an_event_loop_gets_the_same(stored: Catalog, database: str) -> None:
    image = add(stored).images[0]
    loop_database = AsyncDatabase(database)
    await loop_database.open()
    try:
        picture = await stored.images.picture_soon(loop_database, image.id, "original", 100)
    finally:
        await loop_database.close()
    assert picture is not None
    assert picture.head == b"bytes 0"


def test_ranges_are_read_from_the_store(stored: Catalog) -> None:
    image = add(stored).images[0]
    picture = stored.images.picture(image.id, "original")
    assert picture is not None
    assert b"".join(stored.images.read(picture, 2, 3)) == b"tes"


def large_original(catalog: Catalog) -> tuple[UUID, bytes]:
    """Add an original that takes several reads."""
    data = os.urandom(5 * CHUNK // 2)
    new = upload(data)
    catalog.queue.add([(new, data)])
    return new.id, data


def test_bytes_in_the_store_take_one_query(stored: Catalog) -> None:
    image_id, data = large_original(stored)
    picture = stored.images.picture(image_id, "original", head=10)
    assert picture is not None
    stored.close()
    assert picture.head == data[:10]
    assert b"".join(stored.images.read(picture)) == data


def test_a_read_that_found_the_bytes_in_the_store_stays_there(stored: Catalog) -> None:
    _, data = large_original(stored)
    [picture] = stored.verification.pictures(UUID(int=0))
    chunks = stored.images.read(picture)
    first = next(chunks)
    stored.close()
    assert first + b"".join(chunks) == data


def test_bytes_that_are_still_in_rows_are_served_from_there(catalog: Catalog, database: str, store: Storage) -> None:
    image = add(catalog).images[0]
    with Catalog(database, objects=store) as moved:
        picture = moved.images.picture(image.id, head=100)
        assert picture is not None
        assert picture.head == b"bytes 0"
        assert moved.queue.originals([image]) == {image.id: b"bytes 0"}


def test_bytes_in_a_store_that_is_not_set_are_unavailable(stored: Catalog, catalog: Catalog) -> None:
    image = add(stored).images[0]
    picture = catalog.images.picture(image.id)
    assert picture is not None
    for ask in (
        lambda: catalog.images.picture(image.id, head=10),
        lambda: catalog.queue.originals([image]),
        lambda: list(catalog.images.read(picture)),
    ):
        with pytest.raises(Unavailable, match="IMAGOMORTIS_STORAGE"):
            ask()


def test_no_row_is_made_without_its_bytes(stored: Catalog, store: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = add(stored)
    with broken(store, monkeypatch, "put"):
        with pytest.raises(Unavailable):
            stored.queue.add(arrivals(1))
        with pytest.raises(Unavailable):
            stored.queue.save(lease.token, [result(lease.images[0])])
    assert stored.queue.depth().queued == 0
    assert stored.queue.save(lease.token, [result(lease.images[0])]) == {lease.images[0].id}


def test_a_purge_removes_the_bytes_too(stored: Catalog, store: Storage) -> None:
    lease = add(stored, 2)
    stored.queue.save(lease.token, [result(image) for image in lease.images])
    gone, kept = (image.id for image in lease.images)
    stored.images.delete([gone])
    assert stored.images.purge(undo_seconds=-1) == 1
    assert {name.partition("/")[0] for name in names(store)} == {str(kept)}


def test_a_verification_finds_a_row_without_its_object(stored: Catalog, store: Storage) -> None:
    image = add(stored).images[0]
    [picture] = stored.verification.pictures(UUID(int=0))
    assert stored.verification.problem(picture) is None
    store.delete([original_name(image.id)])
    assert stored.verification.problem(picture) == "it has 0 of its 7 bytes"


def test_a_verification_finds_an_object_that_was_cut_off(stored: Catalog, tmp_path: Path) -> None:
    image = add(stored).images[0]
    [picture] = stored.verification.pictures(UUID(int=0))
    os.truncate(tmp_path / "store" / original_name(image.id), 3)
    assert stored.verification.problem(picture) == "it has 3 of its 7 bytes"


def test_a_reader_of_a_replaced_picture_reads_it_to_its_end(stored: Catalog) -> None:
    lease = add(stored)
    image = lease.images[0]
    stored.queue.save(lease.token, [result(image, b"former bytes")])
    former = stored.images.picture(image.id)
    assert former is not None
    stored.images.retry([image.id])
    again = stored.queue.lease("run", 1, 15)
    assert again is not None
    stored.queue.save(again.token, [result(again.images[0], b"new bytes")])
    assert b"".join(stored.images.read(former)) == b"former bytes"


class TestOutputs:
    """An image with two named outputs. The row of the first one has the kind `processed`."""

    BYTES: Final = {"wide": b"wide bytes", "small": b"small bytes"}

    @pytest.fixture
    def image_id(self, stored: Catalog) -> UUID:
        recipe = {"steps": [], "outputs": {"wide": {}, "small": {}}, "first": "wide"}
        new = upload(recipe=recipe)
        stored.queue.add([(new, b"bytes")])
        lease = stored.queue.lease("run", 1, 15)
        assert lease is not None
        stored.queue.save(lease.token, [result(lease.images[0], b"wide bytes", small=b"small bytes")])
        return new.id

    @pytest.mark.usefixtures("image_id")
    def test_objects_are_named_by_the_kinds_of_the_rows(self, store: Storage) -> None:
        kinds = {found.kind for found in map(Name.of, names(store)) if found}
        assert kinds == {"original", "processed", "small", "thumbnail"}
        assert len(names(store)) == 4

    @pytest.mark.parametrize("head", [0, 100])
    @pytest.mark.parametrize("name", BYTES)
    def test_an_output_is_read_by_its_name(self, stored: Catalog, image_id: UUID, name: str, head: int) -> None:
        picture = stored.images.picture(image_id, name, head)
        assert picture is not None
        assert picture.head + b"".join(stored.images.read(picture, len(picture.head))) == self.BYTES[name]

    @pytest.mark.usefixtures("image_id")
    def test_every_picture_is_verified(self, stored: Catalog) -> None:
        found = stored.verification.pictures(UUID(int=0))
        assert {picture.kind: stored.verification.problem(picture) for picture in found} == {
            "original": None,
            "processed": None,
            "small": None,
            "thumbnail": None,
        }

    @pytest.mark.usefixtures("image_id")
    def test_the_sweep_keeps_them(self, stored: Catalog, store: Storage) -> None:
        assert stored.object_sweep.sweep(NOW) == (0, True)
        assert len(names(store)) == 4

    def test_the_sweep_removes_outputs_of_a_former_recipe(
        self, stored: Catalog, image_id: UUID, store: Storage
    ) -> None:
        stored.images.retry([image_id])
        lease = stored.queue.lease("run", 1, 15)
        assert lease is not None
        stored.queue.save(lease.token, [result(lease.images[0], b"wide bytes")])
        assert stored.object_sweep.sweep(NOW) == (1, True)
        assert not any("/small-" in name for name in names(store))

    def test_a_purge_removes_them(self, stored: Catalog, image_id: UUID, store: Storage) -> None:
        stored.images.delete([image_id])
        assert stored.images.purge(undo_seconds=-1) == 1
        assert names(store) == set()


class TestUsage:
    def test_requests_of_all_processes_are_added_up(self, stored: Catalog) -> None:
        for _ in range(2):
            add(stored)
            stored.note_storage_usage()
        [put] = [use for use in stored.figures.storage_usage() if use.operation == "put"]
        assert (put.requests, put.errors, put.bytes) == (2, 0, 14)
        assert put.seconds > 0

    def test_a_request_that_fails_is_an_error(self, stored: Catalog, store: Storage) -> None:
        lost = add(stored).images[0]
        store.delete([original_name(lost.id)])
        stored.queue.originals([lost])
        stored.note_storage_usage()
        [get] = [use for use in stored.figures.storage_usage() if use.operation == "get"]
        assert (get.requests, get.errors) == (1, 1)

    def test_figures_are_kept_while_postgres_is_away(self, store: Storage) -> None:
        store.put({original_name(uuid4()): b"bytes"})
        away = Catalog("postgresql://localhost:1/nowhere", patience=0.1, objects=store)
        with away, pytest.raises(Unavailable):
            away.note_storage_usage()
        assert sum(use.requests for use in store.usage.take() if use.operation == "put") == 1


class TestSweep:
    def test_only_objects_without_a_row_are_removed(self, stored: Catalog, store: Storage) -> None:
        lease = add(stored)
        stored.queue.save(lease.token, [result(lease.images[0])])
        known = names(store)
        orphan = f"{lease.images[0].id}/processed-{'0' * 64}"
        store.put({original_name(uuid4()): b"of no image", orphan: b"a former one", "notes/of-a-person": b"foreign"})
        assert stored.object_sweep.sweep(NOW) == (2, True)
        assert names(store) == known | {"notes/of-a-person"}

    def test_young_objects_are_left_alone(self, stored: Catalog, store: Storage) -> None:
        store.put({original_name(uuid4()): b"its row is on its way"})
        assert stored.object_sweep.sweep() == (0, True)
        assert len(names(store)) == 1

    def test_old_objects_are_removed(self, stored: Catalog, store: Storage, tmp_path: Path) -> None:
        name = original_name(uuid4())
        store.put({name: b"of a crash"})
        long_ago = time.time() - 100_000
        os.utime(tmp_path / "store" / name, (long_ago, long_ago))
        assert stored.object_sweep.sweep() == (1, True)

    def test_it_goes_on_where_it_stopped(
        self, stored: Catalog, store: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.upkeep.object_sweep.PAGE", 2)
        store.put({**{f"0/{number}": b"foreign" for number in range(4)}, original_name(uuid4()): b"orphan"})
        assert [stored.object_sweep.sweep(NOW) for _ in range(3)] == [(0, False), (0, False), (1, True)]

    def test_all_pages_take_one_look_at_the_folders(
        self, stored: Catalog, store: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.upkeep.object_sweep.PAGE", 2)
        store.put({f"{number}/object": b"foreign" for number in range(6)})
        store.usage.take()
        assert [stored.object_sweep.sweep(NOW) for _ in range(4)] == [(0, False)] * 3 + [(0, True)]
        [listed] = [use for use in store.usage.take() if use.operation == "list"]
        assert listed.requests <= 6 + 2, "one for each folder, and for their names"

    def test_another_process_goes_on_with_the_next_page(
        self, stored: Catalog, database: str, store: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.upkeep.object_sweep.PAGE", 1)
        store.put({original_name(uuid4()): b"orphan" for _ in range(4)})
        with Catalog(database, objects=store) as other:
            swept = [each.object_sweep.sweep(NOW) for each in (stored, other, other, stored, stored)]
        assert swept == [(1, False)] * 4 + [(0, True)]
        assert names(store) == set()

    def test_it_looks_at_a_page_again_after_an_error(
        self, stored: Catalog, store: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.upkeep.object_sweep.PAGE", 2)
        store.put({original_name(uuid4()): b"orphan" for _ in range(5)})
        assert stored.object_sweep.sweep(NOW) == (2, False)
        with broken(store, monkeypatch, "delete"), pytest.raises(Unavailable):
            stored.object_sweep.sweep(NOW)
        assert [stored.object_sweep.sweep(NOW) for _ in range(2)] == [(2, False), (1, True)]

    def test_bytes_whose_row_is_about_to_come_are_kept(self, stored: Catalog, store: Storage) -> None:
        """The sweep waits until a put of an old object's name has its row."""
        [(new, data)] = arrivals(1)
        store.put({original_name(new.id): data})
        began, go_on = threading.Event(), threading.Event()
        with Catalog(stored.database.conninfo, objects=_Slow(store, began, go_on)) as pusher:
            thread = threading.Thread(target=pusher.queue.add, args=[[(new, data)]])
            thread.start()
            assert began.wait(60)
            assert stored.object_sweep.sweep(NOW) == (0, True)
            go_on.set()
            thread.join()
        assert stored.object_sweep.sweep(NOW) == (0, True)
        assert names(store) == {original_name(new.id)}


class _Slow(Folder):
    """The same folder, whose puts wait for an event."""

    def __init__(self, store: Storage, began: threading.Event, go_on: threading.Event) -> None:
        assert isinstance(store, Folder)
        super().__init__(store._root)
        self._began, self._go_on = began, go_on

    def put(self, objects: Mapping[str, bytes | Path], media_types: Mapping[str, str] = NOTHING) -> None:
        super().put(objects, media_types)
        self._began.set()
        assert self._go_on.wait(60)
