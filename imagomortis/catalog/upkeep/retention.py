"""Expires attempts, their runs, and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements

SLICE: Final = 5_000
"""Attempts per transaction."""


class Retention:
    """Statements by which rows expire."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("retention")

    def hours_with_pictures(self, hours: Iterable[datetime]) -> set[datetime]:
        """Return those of the ``hours`` in which visible pictures were created."""
        return {row["hour"] for row in self._database.rows(self._sql["hours_with_pictures"], hours=list(hours))}

    def runs(self) -> list[str]:
        """Return the ids of the runs that the catalog refers to and does not know as expired."""
        return [row["run_id"] for row in self._database.rows(self._sql["runs"])]

    def expire_runs(self, run_ids: Sequence[str]) -> None:
        """Mark the runs of attempts as expired."""
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
        """Return the oldest finished images to delete so that all pictures take at most ``size`` bytes."""
        return [row["id"] for row in self._database.rows(self._sql["surplus_pictures"], bytes=size)]
