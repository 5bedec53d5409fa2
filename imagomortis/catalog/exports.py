"""Records which results are to be exported, and how that went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from imagomortis.catalog.connection.database import Database, statements

CLAIMED_SECONDS: Final = 300.0
"""How long a process has for one output. Requests to a store end much earlier."""

PAUSE_SECONDS: Final = 10.0
"""The pause after a first failure. It is doubled each time, up to an hour."""


@dataclass(frozen=True)
class DueExport:
    """The result of an attempt, claimed by one process for its export."""

    image_id: UUID
    attempt: int
    target: str
    claim: UUID
    filename: str
    created_at: datetime


@dataclass(frozen=True)
class Export:
    """The export of an image's last result: where it was written, or why not and when it is tried again."""

    target: str
    urls: Sequence[str]
    exported_at: datetime | None
    failed_attempts: int
    error: str | None
    next_try_at: datetime | None


@dataclass(frozen=True)
class WaitingExports:
    """The exports that are not written: their number, how many have failed, and the age of the oldest result."""

    waiting: int
    failed: int
    oldest_seconds: float


class Exports:
    """Statements on exports. ``Queue.save`` adds them."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("exports")

    def claim(self, limit: int, seconds: float = CLAIMED_SECONDS, away: Sequence[str] = ()) -> list[DueExport]:
        """Claim exports that are due, those that have waited longest first, and those that failed last.

        Targets that begin with one of the prefixes ``away`` are left out.
        """
        values = {"limit": limit, "seconds": seconds, "pause": PAUSE_SECONDS, "away": list(away), "claim": uuid4()}
        return [DueExport(**row) for row in self._database.rows(self._sql["claim"], **values)]

    def renew(self, due: DueExport) -> bool:
        """Renew a claim; return whether it still holds, and its result is still the last one of the image."""
        values = {"id": due.image_id, "attempt": due.attempt, "claim": due.claim, "seconds": CLAIMED_SECONDS}
        return bool(self._database.rows(self._sql["renew"], **values))

    def finish(self, due: DueExport, urls: Sequence[str]) -> None:
        """Note that a result was written to ``urls``.

        If another process has claimed the export meanwhile, it is repeated, so that the newest result is written last.
        """
        values = {"id": due.image_id, "attempt": due.attempt, "claim": due.claim, "urls": list(urls)}
        if not self._database.rows(self._sql["finish"], **values):
            self._database.rows(self._sql["repeat"], id=due.image_id)
        self._database.rows(self._sql["count"], outcome="written")

    def fail(self, due: DueExport, error: str) -> None:
        """Note why a result could not be written; it is tried again later."""
        values = {"id": due.image_id, "attempt": due.attempt, "claim": due.claim}
        values |= {"error": error, "pause": PAUSE_SECONDS}
        if not self._database.rows(self._sql["fail"], **values):
            self._database.rows(self._sql["repeat"], id=due.image_id)
        self._database.rows(self._sql["count"], outcome="failed")

    def one(self, image_id: UUID) -> Export | None:
        """Return the export of an image; None if its recipe has no target."""
        row = self._database.row(self._sql["one"], id=image_id)
        return Export(**row) if row else None

    def totals(self) -> dict[str, int]:
        """Return how many exports were ``written``, and how many attempts ``failed``."""
        return {row["outcome"]: row["exports"] for row in self._database.rows(self._sql["totals"])}

    def waiting(self) -> WaitingExports:
        """Return figures of the exports that are not written."""
        [row] = self._database.rows(self._sql["waiting"])
        return WaitingExports(**row)
