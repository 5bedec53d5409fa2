"""Keeps deleted images in the trash for days, until they are restored or it is emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.catalog.images import SLICE, Images
from imagomortis.catalog.queue import ALWAYS

END_OF_TIME: Final = ALWAYS[1]
"""The deletion time of an image in the trash. The purge of deleted images never reaches it."""


@dataclass(frozen=True)
class Contents:
    """The number of images in the trash, and the bytes of their originals and renditions."""

    images: int
    bytes: int


class Trash:
    """Statements that put images into the trash and take them out for good; ``Images`` lists and restores them."""

    def __init__(self, database: Database, images: Images) -> None:
        """Take the database, and its images."""
        self._database = database
        self._images = images
        self._sql = statements("trash")

    def put(self, ids: Sequence[UUID]) -> list[UUID]:
        """Put images into the trash; return the ids of those that were visible."""
        return self._ids("put", ids=list(ids), end_of_time=END_OF_TIME)

    def put_all(self) -> int:
        """Put every image into the trash, in slices; return how many. Images uploaded after the call stay visible."""
        until, at, total = self._images.everything_until(), datetime.now(UTC), 0
        while True:
            put = self._ids("put_some", until=until, at=at, limit=SLICE, end_of_time=END_OF_TIME)
            total += len(put)
            if len(put) < SLICE:
                return total

    def empty_some(self, before: datetime, limit: int = SLICE) -> int:
        """Delete up to ``limit`` images that were put in before then, as without a trash; return how many."""
        return len(self._ids("empty_some", before=before, limit=limit))

    def empty(self) -> int:
        """Delete all images in the trash, in slices; return how many."""
        total = 0
        while deleted := self.empty_some(END_OF_TIME):
            total += deleted
        return total

    def count(self, before: datetime) -> int:
        """Count the images that were put in before then."""
        [row] = self._database.rows(self._sql["count"], before=before)
        return int(row["images"])

    def contents(self) -> Contents:
        """Return how much is in the trash; it takes a tenth of a second for a million images."""
        [row] = self._database.rows(self._sql["contents"])
        return Contents(**row)

    def _ids(self, name: str, **values: Any) -> list[UUID]:
        return [row["id"] for row in self._database.rows(self._sql[name], **values)]
