"""Lists images by name or by size; ``Images`` lists them by time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.catalog.images import MOST_MARKED, Filter, Image, image_of, literal


class Sort(StrEnum):
    """The orders of a list beside the newest first; a minus is from the end."""

    NAME = "name"
    NAME_BACKWARDS = "-name"
    SIZE = "size"
    SIZE_BACKWARDS = "-size"

    @property
    def is_backwards(self) -> bool:
        """Whether the list begins with the last name, or the largest image."""
        return self.startswith("-")


@dataclass(frozen=True)
class Position:
    """A position in a list by name or size: after the image with this key and id."""

    key: str
    id: UUID


FIRST: Final = Position("", UUID(int=0))
LAST: Final = Position("\U0010ffff", UUID(int=2**128 - 1))


@dataclass(frozen=True)
class OrderedPage:
    """Images in their order, and the position of the next page; None at the end."""

    images: list[Image]
    next: Position | None


@dataclass(frozen=True)
class PieceEnd:
    """The last image of a piece of a list: its position, its number in the list, and when it was created."""

    position: Position
    number: int
    created_at: datetime


class Ordered:
    """Statements that list images by name or size. A filter examines all images until a page is full."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("ordered")

    def page(self, sort: Sort, limit: int, after: Position | None = None, which: Filter | None = None) -> OrderedPage:
        """Return up to ``limit`` images after a position, or the first ones."""
        statement = "page_backwards" if sort.is_backwards else "page"
        after = after or (LAST if sort.is_backwards else FIRST)
        found = self._rows(statement, sort, after, which, limit=limit + 1)
        images = [image_of(row) for row in found[:limit]]
        is_more = len(found) > limit
        return OrderedPage(images, Position(found[limit - 1]["sort_key"], images[-1].id) if is_more else None)

    def marks(
        self, sort: Sort, every: int, after: Position | None = None, which: Filter | None = None
    ) -> list[PieceEnd]:
        """Return the ends of pieces of ``every`` images after a position, in a list that begins at the end.

        If the last one has the number ``MOST_MARKED``, there may be more behind it.
        """
        found = self._rows("marks_backwards", sort, after or LAST, which, every=every, scan=MOST_MARKED)
        return [PieceEnd(Position(row["sort_key"], row["id"]), row["number"], row["created_at"]) for row in found]

    def _rows(self, name: str, sort: Sort, after: Position, which: Filter | None, **values: int) -> list[DictRow]:
        which = which or Filter()
        return self._database.rows(
            self._sql[name],
            sort=sort.removeprefix("-"),
            after=after.key,
            after_id=after.id,
            since=which.since,
            until=which.until,
            states=[state.value for state in which.states] if which.states is not None else None,
            name=f"%{literal(which.name)}%" if which.name else None,
            recipe=which.recipe,
            favourites=which.favourites,
            trash=which.trash,
            **values,
        )
