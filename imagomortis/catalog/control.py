"""Pauses and resumes processing."""

from __future__ import annotations

from datetime import datetime

from imagomortis.catalog.connection.database import Database, statements


class Control:
    """Statements that pause and resume processing."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("control")

    def pause(self) -> None:
        """Stop leasing. Workers soon give back the leased images that they have not begun."""
        self._database.rows(self._sql["pause"])

    def resume(self) -> None:
        """Lease images again."""
        self._database.rows(self._sql["resume"])

    def paused_at(self) -> datetime | None:
        """Return when processing was paused; None if it is not paused."""
        row = self._database.row(self._sql["paused_at"])
        return row["paused_at"] if row else None
