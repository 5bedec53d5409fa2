"""The rows of the catalog as a storage: a batch takes few statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql
from psycopg.rows import DictRow

from imagomortis.catalog import Catalog, Database
from imagomortis.catalog.postgres_storage import PostgresStorage
from imagomortis.errors import NotFound
from imagomortis.storage import name_of, original_name
from tests.support.uploads import arrivals, result


class Counting(Database):
    """A database that counts its statements."""

    count = 0

    def rows(self, statement: sql.SQL, **values: Any) -> list[DictRow]:
        self.count += 1
        return super().rows(statement, **values)


@pytest.fixture
def counting(database: str) -> Iterator[Counting]:
    found = Counting(database)
    yield found
    found.close()


@pytest.fixture
def objects(catalog: Catalog) -> dict[str, bytes]:
    """The bytes of ten images and their renditions, by name."""
    both = arrivals(10)
    catalog.queue.add(both)
    lease = catalog.queue.lease("run", 10, 15)
    assert lease is not None
    results = [result(image) for image in lease.images]
    catalog.queue.save(lease.token, results)
    return {
        **{original_name(new.id): data for new, data in both},
        **{
            name_of(each.image.id, rendition.kind, rendition.sha256): rendition.data
            for each in results
            for rendition in each.renditions
        },
    }


def digests(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(data).digest() for name, data in objects.items()}


def test_a_batch_takes_one_statement_for_each_table(counting: Counting, objects: dict[str, bytes]) -> None:
    rows = PostgresStorage(counting)
    assert rows.get(digests(objects)) == objects
    assert counting.count == 2
    rows.delete(objects)
    assert counting.count == 4
    assert not list(rows.listed())
    counting.count = 0
    rows.put(objects)
    assert counting.count == 2
    assert rows.get(digests(objects)) == objects


def test_bytes_are_stored_although_another_row_is_missing(catalog: Catalog, objects: dict[str, bytes]) -> None:
    rows = PostgresStorage(catalog.database)
    rows.delete(objects)
    deleted = original_name(uuid4())
    with pytest.raises(NotFound, match=deleted):
        rows.put({deleted: b"bytes", **objects})
    assert rows.get(digests(objects)) == objects
