"""Remembers the objects of bucket inboxes that stay in place, and counts all that came."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements

Outcome = Literal["stored", "refused", "failed"]


@dataclass(frozen=True)
class Refusal:
    """An object that was refused and stays in its bucket."""

    name: str
    refusal: str
    seen_at: datetime


@dataclass(frozen=True)
class Count:
    """How many objects had an outcome, and the bytes of those that were stored."""

    outcome: Outcome
    objects: int
    bytes: int


class BucketObjects:
    """Statements on the objects of bucket inboxes."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("bucket_objects")

    def seen(self, ids: Collection[UUID]) -> set[UUID]:
        """Return those of the ids whose objects were looked at."""
        return {row["id"] for row in self._database.rows(self._sql["seen"], ids=list(ids))}

    def note(self, object_id: UUID, name: str | None = None, refusal: str | None = None) -> None:
        """Note that an object was looked at, and if it was refused, its name and the reason."""
        self._database.rows(self._sql["note"], id=object_id, name=name, refusal=refusal)

    def refusals(self, limit: int) -> list[Refusal]:
        """Return the newest refusals of objects that stay in place."""
        return [Refusal(**row) for row in self._database.rows(self._sql["refusals"], limit=limit)]

    def count(self, outcome: Outcome, size: int = 0) -> None:
        """Count an object and, if it was stored, its bytes."""
        self._database.rows(self._sql["count"], outcome=outcome, bytes=size)

    def counts(self) -> list[Count]:
        """Return how many objects had each outcome."""
        return [Count(**row) for row in self._database.rows(self._sql["counts"])]
