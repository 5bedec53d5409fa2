"""Stores the sessions that were signed out before they expired."""

from __future__ import annotations

from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.catalog.connection.database import Database, statements


class Sessions:
    """Statements on sessions that were signed out."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("sessions")

    def end(self, session_id: str, ends: int) -> None:
        """Store that a session was signed out, until the Unix time at which it expires anyway."""
        self._database.rows(self._sql["end"], id=session_id, ends=ends)

    async def has_ended(self, database: AsyncDatabase, session_id: str) -> bool:
        """Whether a session was signed out. Reads within an event loop."""
        return await database.row(self._sql["has_ended"], id=session_id) is not None
