"""Removes objects without a row: dropped results, replaced renditions, and the rest of an interrupted purge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from psycopg.errors import LockNotAvailable

from imagomortis.catalog.connection.database import Connection, Database, rows, statements
from imagomortis.storage import Name, Stored

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

AGE: Final = timedelta(days=1)
"""Younger objects stay, because a client can still be reading a replaced rendition."""

PAGE: Final = 1000
"""Objects of one step of the walk."""


class ObjectSweep:
    """Walks through the object store page by page, and stores its position in Postgres."""

    def __init__(self, database: Database, objects: ObjectStore | None) -> None:
        """Take the database, and the object store if there is one."""
        self._database = database
        self._objects = objects
        self._sql = statements("storage")
        self._walk: Iterator[Stored] = iter(())
        self._walked_to: str | None = None

    def sweep(self, age: timedelta = AGE) -> tuple[int, bool]:
        """Sweep the next page; return how many objects were removed, and whether the walk has reached its end.

        Objects of other programs stay. Raises Unavailable while Postgres or the store is away.
        """
        if self._objects is None:
            return 0, True
        page = self._next_page(self._objects)
        old = [each.name for each in page if each.put_at < datetime.now(UTC) - age and Name.of(each.name)]
        removed = self._remove(old) if old else 0
        if removed is None:
            return 0, True  # the next sweep looks at this page again
        is_end = len(page) < PAGE
        place = "" if is_end else page[-1].name
        self._database.rows(self._sql["note_swept"], name=place)
        self._walked_to = place or None
        return removed, is_end

    def _next_page(self, objects: ObjectStore) -> list[Stored]:
        """Continue the walk; begin another one after an error, and if another process has swept meanwhile."""
        place, walked_to, self._walked_to = self._place(), self._walked_to, None
        if place != walked_to:
            self._walk = objects.listed(after=place)
        return list(islice(self._walk, PAGE))

    def _place(self) -> str:
        [row] = self._database.rows(self._sql["swept_to"])
        return str(row["swept_to"])

    def _remove(self, names: Sequence[str]) -> int | None:
        """Remove the objects without a row; return their number, or None if a put holds the lock for too long."""
        with self._database.transaction() as connection:
            unnamed = self._unnamed(connection, names)
            if not unnamed:
                return 0
            rows(connection, self._sql["wait_briefly"], {})
            try:
                rows(connection, self._sql["hold_puts"], {})
            except LockNotAvailable:
                return None
            unnamed = self._unnamed(connection, unnamed)  # a put can have got its row meanwhile
            if unnamed and self._objects:
                self._objects.delete(unnamed)
            return len(unnamed)

    def _unnamed(self, connection: Connection, names: Sequence[str]) -> list[str]:
        parts = [part for part in map(Name.of, names) if part]
        values = {
            "names": list(names),
            "ids": [part.image_id for part in parts],
            "kinds": [part.kind for part in parts],
            "sha256s": [part.sha256 for part in parts],
        }
        return [row["name"] for row in rows(connection, self._sql["unnamed"], values)]
