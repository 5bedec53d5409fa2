"""Reading every picture again: whether its bytes are still those of its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final
from uuid import UUID

import psycopg

from imagomortis.catalog.database import Database, statements
from imagomortis.catalog.images import Images, Picture

PAGE: Final = 500
"""Images whose pictures are listed in one query."""


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
        except psycopg.InternalError as error:  # a page or a value that Postgres itself finds damaged
            return f"Postgres cannot read it ({' '.join(str(error).split())})"
        if digest.digest() == picture.sha256 or not self._is_current(picture):
            return None
        if size != picture.size:
            return f"it has {size} of its {picture.size} bytes"
        return f"its SHA-256 is {digest.hexdigest()} and should be {picture.sha256.hex()}"

    def _is_current(self, picture: Picture) -> bool:
        values = {"id": picture.image_id, "kind": picture.kind, "sha256": picture.sha256}
        [row] = self._database.rows(self._sql["is_current"], **values)
        return bool(row["is_current"])
