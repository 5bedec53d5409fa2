"""Copies a complete catalog between databases, for backup and restore.

The bytes of pictures are copied by binary COPY. As text, as pg_dump writes them, they would be twice as large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from imagomortis.catalog.connection.database import Connection, rows, statements

Bulk = Literal["originals", "renditions"]

BULK: Final[tuple[Bulk, ...]] = ("originals", "renditions")
"""The tables with bytes of pictures. Each comes after the tables that it refers to."""


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
    """Statements that copy a complete catalog, on one connection in autocommit mode."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection in autocommit mode, whose rows are dictionaries."""
        self._connection = connection
        self._sql = statements("transfer")

    @contextmanager
    def snapshot(self) -> Iterator[str]:
        """Read one snapshot of the catalog within the block; yield its name for pg_dump."""
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
        """Whether the catalog holds neither images nor recipes nor assets; true without a catalog."""
        if not self.exists():
            return True
        [row] = rows(self._connection, self._sql["is_empty"], {})
        if row["empty"] and row["has_assets"]:
            [row] = rows(self._connection, self._sql["is_without_assets"], {})
        return bool(row["empty"])

    def users(self) -> list[str]:
        """Return the names of the parts that are connected to the database."""
        return [row["name"] for row in rows(self._connection, self._sql["users"], {})]

    def contents(self) -> Contents:
        """Count what the catalog holds."""
        [row] = rows(self._connection, self._sql["contents"], {})
        return Contents(**row)

    def read(self, table: Bulk) -> Iterator[bytes]:
        """Yield the rows of a table in the format of binary COPY."""
        with self._connection.cursor() as cursor, cursor.copy(self._sql[f"{table}_out"]) as copy:
            for chunk in copy:
                yield bytes(chunk)

    def write(self, table: Bulk, chunks: Iterable[bytes]) -> None:
        """Fill a table with what `read` yielded, in chunks of any length, within a transaction."""
        self._connection.execute(self._sql["triggers_off"])
        with self._connection.cursor() as cursor, cursor.copy(self._sql[f"{table}_in"]) as copy:
            for chunk in chunks:
                copy.write(chunk)
        self._connection.execute(self._sql["triggers_on"])

    def drop(self) -> None:
        """Drop the tables of a catalog of any version."""
        self._connection.execute(self._sql["drop"])

    def settle(self) -> None:
        """Make a restored and migrated catalog consistent: no leases, no workers, and all images marked as changed."""
        with self._connection.transaction():
            for name in ("settle_images", "settle_workers", "settle_control"):
                self._connection.execute(self._sql[name])
        self._connection.execute(self._sql["analyze"])
