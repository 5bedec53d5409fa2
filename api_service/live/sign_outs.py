"""Tracks which sessions were signed out, in any process of the API."""

from __future__ import annotations

import time
from typing import Final

from fastapi.concurrency import run_in_threadpool

from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.catalog.sessions import Sessions
from imagomortis_http.callers.session import Session

TRUST_SECONDS: Final = 2.0
"""How long a session counts as signed in before the catalog is asked again."""

MOST_KNOWN: Final = 10_000


class SignOuts:
    """Asks the catalog, and caches its answers for a moment."""

    def __init__(self, sessions: Sessions, database: AsyncDatabase) -> None:
        """Take the statements on sessions, and the database of the event loop."""
        self._sessions = sessions
        self._database = database
        self._trusted: dict[str, float] = {}

    async def has_ended(self, session: Session) -> bool:
        """Return whether a session was signed out; raises Unavailable if that cannot be found out."""
        now = time.monotonic()
        if now < self._trusted.get(session.id, 0.0):
            return False
        if await self._sessions.has_ended(self._database, session.id):
            return True
        if len(self._trusted) >= MOST_KNOWN:
            self._trusted.clear()
        self._trusted[session.id] = now + TRUST_SECONDS
        return False

    async def end(self, session: Session) -> None:
        """Sign a session out: here at once, in other processes after ``TRUST_SECONDS``."""
        await run_in_threadpool(self._sessions.end, session.id, session.ends)
        self._trusted.pop(session.id, None)
