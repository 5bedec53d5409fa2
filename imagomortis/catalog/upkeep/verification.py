"""Reading every picture again: whether its bytes are still those of its digest."""

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
"""Images whose pictures are listed in one query."""


UNREADABLE: Final = ("58", "XX")
"""Classes of states: errors of the system below Postgres, such as a disk that cannot be read, and damage that it finds
itself. https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class Verification:
    """Every statement by which pictures are compared with their digests; bytes are read a megabyte at a time."""

    def __init__(self, database: Database, images: Images) -> None:
        """Take the database, and the images that read their bytes."""
        self._database = database
        self._images = images
        self._sql = statements("verification")

    def amount(self) -> tuple[int, int]:
        """Return how many pictures there are, and their bytes."""
        [row] = self._database.rows(self._sql["amount"])
        return int(row["pictures"]), int(row["bytes"])

    def pictures(self, after: UUID, limit: int = PAGE) -> list[Picture]:
        """Return what the next ``limit`` images behind an id have, in the order of their ids; no bytes yet."""
        found = self._database.rows(self._sql["pictures"], after=after, limit=limit)
        return [Picture(head=b"", **row) for row in found]

    def problem(self, picture: Picture, advance: Callable[[int], object] = lambda _: None) -> str | None:
        """Read a picture and return what is wrong with it; None if it is as it was, or is not there any more.

        ``advance`` is told of the bytes as they are read.
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
        """Whether the catalog still has exactly that picture."""
        values = {"id": picture.image_id, "kind": picture.kind, "sha256": picture.sha256}
        [row] = self._database.rows(self._sql["is_current"], **values)
        return bool(row["is_current"])


def _damage(error: psycopg.Error | Unavailable) -> str | None:
    """Return what Postgres says of a page, a value or a file that it cannot read; None for any other error."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return " ".join(str(cause).split()) if state and state.startswith(UNREADABLE) else None
