"""What the catalog keeps, and for how long: attempts, their runs, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements

SLICE: Final = 5_000
"""Attempts that are deleted in one transaction."""


class Retention:
    """Every statement by which something expires."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("retention")

    def hours_with_pictures(self, hours: Iterable[datetime]) -> set[datetime]:
        """Return those of the ``hours`` in which pictures in sight were created."""
        return {row["hour"] for row in self._database.rows(self._sql["hours_with_pictures"], hours=list(hours))}

    def runs(self) -> list[str]:
        """Return the ids of the runs that the catalog refers to as if they were there."""
        return [row["run_id"] for row in self._database.rows(self._sql["runs"])]

    def expire_runs(self, run_ids: Sequence[str]) -> None:
        """Note that runs are gone, in each of their attempts."""
        self._database.rows(self._sql["expire_runs"], run_ids=list(run_ids))

    def count_attempts(self, before: datetime) -> int:
        """Count the attempts that ended before then and are not the last one of their image."""
        row = self._database.row(self._sql["count_attempts"], before=before)
        return int(row["attempts"]) if row else 0

    def delete_attempts(self, before: datetime, limit: int = SLICE) -> int:
        """Delete up to ``limit`` of those attempts; return how many."""
        return len(self._database.rows(self._sql["delete_attempts"], before=before, limit=limit))

    def old_pictures(self, before: datetime) -> list[UUID]:
        """Return the finished images created before then, oldest first."""
        return [row["id"] for row in self._database.rows(self._sql["old_pictures"], before=before)]

    def surplus_pictures(self, size: int) -> list[UUID]:
        """Return the finished images, oldest first, without which pictures take no more than ``size`` bytes."""
        return [row["id"] for row in self._database.rows(self._sql["surplus_pictures"], bytes=size)]
