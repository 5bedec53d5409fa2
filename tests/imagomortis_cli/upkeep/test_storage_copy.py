"""Copying between storages: all objects arrive, also after an interruption and while the system works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.postgres_storage import PostgresStorage
from imagomortis.settings import Settings
from imagomortis.storage import Storage, opened, original_name
from imagomortis_cli.upkeep.storage_copy import copy, remove
from imagomortis_cli.upkeep.verify import begin, verify
from tests.imagomortis.catalog.upkeep.test_verification import process
from tests.support.uploads import arrivals, result, upload


def nothing(_: int) -> None:
    pass


@pytest.fixture
def rows(catalog: Catalog) -> Storage:
    """The rows of a catalog with six processed images."""
    catalog.queue.add(arrivals(6))
    process(catalog)
    return PostgresStorage(catalog.database)


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    found = opened(Settings(storage=f"file://{tmp_path}/store"))
    assert found is not None
    return found


@pytest.fixture
def moved(database: str, store: Storage) -> Iterator[Catalog]:
    """The same catalog, with the object store."""
    with Catalog(database, objects=store) as found:
        yield found


def damaged(catalog: Catalog) -> int:
    report = begin(catalog, None)
    verify(catalog, report, None, nothing)
    return len(report.damaged)


def test_every_object_is_copied_and_counted(catalog: Catalog, rows: Storage, store: Storage) -> None:
    told: list[int] = []
    copied = copy(catalog, rows, store, told.append)
    assert (copied.objects, copied.damaged) == (18, [])
    assert sum(told) == copied.bytes == catalog.verification.amount()[1]
    assert {each.name for each in store.listed()} == {each.name for each in rows.listed()}


def test_an_interrupted_copy_goes_on(
    catalog: Catalog, rows: Storage, store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.storage.batches.MOST", 4)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(catalog, rows, store, interrupt)
    told: list[int] = []
    assert copy(catalog, rows, store, told.append).objects == 14
    assert sum(told) == catalog.verification.amount()[1]


def test_pictures_that_come_meanwhile_are_copied_too(catalog: Catalog, rows: Storage, store: Storage) -> None:
    come = arrivals(2)

    def add(_: int) -> None:
        if come:
            catalog.queue.add([come.pop()])

    assert copy(catalog, rows, store, add).objects >= 19
    assert copy(catalog, rows, store, nothing).objects == 0


def test_after_the_switch_the_rows_can_be_emptied(
    catalog: Catalog, moved: Catalog, rows: Storage, store: Storage
) -> None:
    copy(catalog, rows, store, nothing)
    assert remove(catalog, rows, store) == 18
    assert list(rows.listed()) == []
    assert damaged(moved) == 0


def test_bytes_come_back_into_the_rows(catalog: Catalog, moved: Catalog, store: Storage) -> None:
    moved.queue.add(arrivals(3))
    process(moved)
    assert copy(catalog, store, PostgresStorage(catalog.database), nothing).objects == 9
    assert damaged(catalog) == 0


def test_named_outputs_are_copied_to_the_store_and_back(
    catalog: Catalog, moved: Catalog, rows: Storage, store: Storage
) -> None:
    new = upload(recipe={"steps": [], "outputs": {"wide": {}, "small": {}}, "first": "wide"})
    catalog.queue.add([(new, b"bytes")])
    lease = catalog.queue.lease("run", 1, 15)
    assert lease is not None
    catalog.queue.save(lease.token, [result(lease.images[0], b"wide bytes", small=b"small bytes")])
    assert copy(catalog, rows, store, nothing).objects == 22
    assert remove(catalog, rows, store) == 22
    assert damaged(moved) == 0
    assert copy(catalog, store, rows, nothing).objects == 22
    assert damaged(catalog) == 0


def test_objects_that_the_source_lost_are_named(catalog: Catalog, moved: Catalog, store: Storage) -> None:
    [(lost, _), _] = both = arrivals(2)
    moved.queue.add(both)
    store.delete([original_name(lost.id)])
    copied = copy(catalog, store, PostgresStorage(catalog.database), nothing)
    assert (copied.objects, copied.damaged) == (1, [original_name(UUID(str(lost.id)))])
