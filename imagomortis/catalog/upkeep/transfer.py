"""Carrying a whole catalog out of one database and into another: the statements of a backup and of its restoration.

Bytes of pictures go by binary COPY: as text, which is what pg_dump writes, they would be twice as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from imagomortis.catalog.connection.database import Connection, rows, statements

Bulk = Literal["originals", "renditions"]

BULK: Final[tuple[Bulk, ...]] = ("originals", "renditions")
"""The tables that hold bytes of pictures, each after those that it refers to."""


@dataclass(frozen=True)
class Contents:
    """The contents of a catalog: rows, bytes of pictures, and how many pictures have their bytes in an object store."""

    images: int
    originals: int
    renditions: int
    original_bytes: int
    rendition_bytes: int
    elsewhere: int


class Transfer:
    """Every statement by which a catalog is copied as a whole, on one connection that commits by itself."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection in autocommit mode, whose rows are dictionaries."""
        self._connection = connection
        self._sql = statements("transfer")

    @contextmanager
    def snapshot(self) -> Iterator[str]:
        """See the catalog as it is now for the length of a block; yields the snapshot's name for pg_dump."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # it is idle while pg_dump works
            self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            [row] = rows(self._connection, self._sql["export"], {})
            yield row["snapshot"]

    def exists(self) -> bool:
        """Whether the database has a catalog."""
        [row] = rows(self._connection, self._sql["exists"], {})
        return bool(row["exists"])

    def is_empty(self) -> bool:
        """Whether the catalog holds neither images nor recipes; true without a catalog."""
        if not self.exists():
            return True
        [row] = rows(self._connection, self._sql["is_empty"], {})
        return bool(row["empty"])

    def users(self) -> list[str]:
        """Return the names of the parts that are connected to the database now."""
        return [row["name"] for row in rows(self._connection, self._sql["users"], {})]

    def contents(self) -> Contents:
        """Count what the catalog holds."""
        [row] = rows(self._connection, self._sql["contents"], {})
        return Contents(**row)

    def read(self, table: Bulk) -> Iterator[bytes]:
        """Yield the rows of a table as binary COPY writes them."""
        with self._connection.cursor() as cursor, cursor.copy(self._sql[f"{table}_out"]) as copy:
            for chunk in copy:
                yield bytes(chunk)

    def write(self, table: Bulk, chunks: Iterable[bytes]) -> None:
        """Fill a table with what `read` yielded, in chunks of any length."""
        with self._connection.cursor() as cursor, cursor.copy(self._sql[f"{table}_in"]) as copy:
            for chunk in chunks:
                copy.write(chunk)

    def drop(self) -> None:
        """Drop the catalog's tables, whatever version made them."""
        self._connection.execute(self._sql["drop"])

    def settle(self) -> None:
        """Make a migrated catalog that came from elsewhere consistent: no leases, no workers, images changed now."""
        with self._connection.transaction():
            for name in ("settle_images", "settle_workers", "settle_control"):
                self._connection.execute(self._sql[name])
        self._connection.execute(self._sql["analyze"])
