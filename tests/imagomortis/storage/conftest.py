"""All storages, each with functions that return fresh names for bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from obstore.store import MemoryStore

from imagomortis.catalog import Catalog
from imagomortis.catalog.postgres_storage import PostgresStorage
from imagomortis.storage import Storage, name_of, original_name
from imagomortis.storage.object_store import ObjectStore
from tests.support.uploads import upload


@dataclass(frozen=True)
class Shelf:
    """A storage, and a function that returns a fresh name for an original or a rendition of some bytes."""

    storage: Storage
    original: Callable[[bytes], str]
    rendition: Callable[[bytes], str]

    def put(self, data: bytes) -> str:
        """Put an original, and return its name."""
        name = self.original(data)
        self.storage.put({name: data})
        return name


def _shelf(storage: Storage) -> Shelf:
    return Shelf(
        storage,
        lambda _: original_name(uuid4()),
        lambda data: name_of(uuid4(), "processed", hashlib.sha256(data).digest()),
    )


def _of_rows(catalog: Catalog) -> Shelf:
    """A shelf whose names have rows without bytes."""

    def original(data: bytes) -> str:
        new = upload(data)
        catalog.queue.add([(new, data)])
        with catalog.database.connection() as connection:
            connection.execute("UPDATE originals SET bytes = NULL WHERE image_id = %s", [new.id])
        return original_name(new.id)

    def rendition(data: bytes) -> str:
        name, digest = original(b"of a rendition"), hashlib.sha256(data).digest()
        image_id = name.partition("/")[0]
        with catalog.database.connection() as connection:
            connection.execute(
                "INSERT INTO renditions (image_id, kind, media_type, width, height, size, sha256, recipe_digest) "
                "VALUES (%s, 'processed', 'image/png', 1, 1, %s, %s, 'digest')",
                [image_id, len(data), digest],
            )
        return name_of(UUID(image_id), "processed", digest)

    return Shelf(PostgresStorage(catalog.database), original, rendition)


@pytest.fixture(params=["postgres", "file", "memory", "s3"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """Each storage in turn."""
    if request.param == "postgres":
        yield _of_rows(request.getfixturevalue("catalog"))
    elif request.param == "s3":
        yield _shelf(request.getfixturevalue("s3_server").store())
    elif request.param == "memory":
        yield _shelf(ObjectStore(MemoryStore()))
    else:
        yield _shelf(ObjectStore.of(f"file://{tmp_path}/a%20folder"))
