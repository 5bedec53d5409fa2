"""Pausing and resuming the processing."""

from __future__ import annotations

from datetime import datetime

from imagomortis.catalog.connection.database import Database, statements


class Control:
    """Every statement on the switch that pauses processing."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("control")

    def pause(self) -> None:
        """Let no further image be leased; workers soon give back what they leased and have not begun."""
        self._database.rows(self._sql["pause"])

    def resume(self) -> None:
        """Let images be leased again."""
        self._database.rows(self._sql["resume"])

    def paused_at(self) -> datetime | None:
        """Return since when processing is paused, or None if it is not."""
        row = self._database.row(self._sql["paused_at"])
        return row["paused_at"] if row else None
