"""Keeps deleted images in the trash for days, until they are restored or it is emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    def put(self, ids: Sequence[UUID], keep: timedelta) -> list[UUID]:
        """Put images into the trash for so long; return the ids of those that were visible."""
        return self._ids("put", ids=list(ids), keep=keep, end_of_time=END_OF_TIME)

    def put_all(self, keep: timedelta) -> int:
        """Put every image into the trash for so long, in slices; return how many.

        Images uploaded after the call stay visible.
        """
        until, at, total = self._images.everything_until(), self._now(), 0
        while True:
            put = self._ids("put_some", until=until, at=at, keep=keep, limit=SLICE, end_of_time=END_OF_TIME)
            total += len(put)
            if len(put) < SLICE:
                return total

    def empty_some(
        self, *, put_before: datetime = END_OF_TIME, kept_before: datetime = END_OF_TIME, limit: int = SLICE
    ) -> int:
        """Delete up to ``limit`` images, as without a trash; return how many.

        Only those that were put in before one time, and had to be kept until a time before the other.
        """
        return len(self._ids("empty_some", put_before=put_before, kept_before=kept_before, limit=limit))

    def empty(self) -> int:
        """Delete all images in the trash, in slices; return how many. Images put in after the call stay."""
        before, total = self._now(), 0
        while deleted := self.empty_some(put_before=before):
            total += deleted
        return total

    def count(self, before: datetime) -> int:
        """Count the images that had to be kept until a time before then."""
        [row] = self._database.rows(self._sql["count"], before=before)
        return int(row["images"])

    def contents(self) -> Contents:
        """Return how much is in the trash. This reads all its rows."""
        [row] = self._database.rows(self._sql["contents"])
        return Contents(**row)

    def _now(self) -> datetime:
        """Return the time of the database, which stamps the images that are put in."""
        [row] = self._database.rows(self._sql["now"])
        at: datetime = row["at"]
        return at

    def _ids(self, name: str, **values: Any) -> list[UUID]:
        return [row["id"] for row in self._database.rows(self._sql[name], **values)]
