"""Compares the bytes of every picture with its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final
from uuid import UUID

import psycopg

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.catalog.images import Images, Picture
from imagomortis.errors import Unavailable

PAGE: Final = 500
"""Images per query."""


UNREADABLE: Final = ("58", "XX")
"""Classes of states: errors of the system below Postgres, such as a disk that cannot be read, and damage that it finds
itself. https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class Verification:
    """Statements that verify pictures. Bytes are read a megabyte at a time."""

    def __init__(self, database: Database, images: Images) -> None:
        """Take the database, and the images that read their bytes."""
        self._database = database
        self._images = images
        self._sql = statements("verification")

    def amount(self) -> tuple[int, int]:
        """Return the number of pictures and their total bytes."""
        [row] = self._database.rows(self._sql["amount"])
        return int(row["pictures"]), int(row["bytes"])

    def pictures(self, after: UUID, limit: int = PAGE) -> list[Picture]:
        """Return the pictures of the next ``limit`` images after an id, in order of ids and without bytes."""
        found = self._database.rows(self._sql["pictures"], after=after, limit=limit)
        return [Picture(head=b"", **row) for row in found]

    def problem(self, picture: Picture, advance: Callable[[int], object] = lambda _: None) -> str | None:
        """Read a picture and describe its damage; None if it is intact or was removed.

        ``advance`` is called with the number of bytes of each read.
        """
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self._images.read(picture):
                digest.update(chunk)
                size += len(chunk)
                advance(len(chunk))
        except (psycopg.Error, Unavailable) as error:
            if said := _damage(error):
                return f"Postgres cannot read it ({said})"
            raise
        if digest.digest() == picture.sha256 or not self.is_current(picture):
            return None
        if size != picture.size:
            return f"it has {size} of its {picture.size} bytes"
        return f"its SHA-256 is {digest.hexdigest()} and should be {picture.sha256.hex()}"

    def is_current(self, picture: Picture) -> bool:
        """Whether the catalog still has exactly this picture."""
        values = {"id": picture.image_id, "kind": picture.kind, "sha256": picture.sha256}
        [row] = self._database.rows(self._sql["is_current"], **values)
        return bool(row["is_current"])


def _damage(error: psycopg.Error | Unavailable) -> str | None:
    """Return Postgres's message if it cannot read a page, a value or a file; None for any other error."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return " ".join(str(cause).split()) if state and state.startswith(UNREADABLE) else None
