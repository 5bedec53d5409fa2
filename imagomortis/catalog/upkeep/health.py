"""Finds signs of trouble for operators: stuck leases, stuck workers and a waiting queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements


@dataclass(frozen=True)
class Waiting:
    """The queue, and when the last attempt of the past hour ended; times are by the database's clock."""

    queued: int
    oldest: datetime | None
    last_ended: datetime | None
    now: datetime
    failed: int
    paused_at: datetime | None


@dataclass(frozen=True)
class StuckLease:
    """An image whose lease has expired and was not released."""

    id: UUID
    filename: str
    run_id: str
    expired_at: datetime


class Health:
    """Statements that check the health of the system."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("health")

    def waiting(self) -> Waiting:
        """Return the state of the queue."""
        [row] = self._database.rows(self._sql["queue"])
        return Waiting(**row)

    def stuck_leases(self, seconds: float) -> list[StuckLease]:
        """Return the leases that expired more than ``seconds`` ago, oldest first."""
        return [StuckLease(**row) for row in self._database.rows(self._sql["stuck_leases"], seconds=seconds)]

    def stuck_workers(self, seconds: float) -> list[UUID]:
        """Return the workers that are not marked as gone, but were not seen for ``seconds``."""
        return [row["id"] for row in self._database.rows(self._sql["stuck_workers"], seconds=seconds)]

    def runs_at_work(self, seconds: float) -> set[str]:
        """Return the runs whose worker was seen, or left, within ``seconds``."""
        return {row["run_id"] for row in self._database.rows(self._sql["runs_at_work"], seconds=seconds)}

    def moment(self) -> datetime:
        """Return the database's time."""
        [row] = self._database.rows(self._sql["moment"])
        found: datetime = row["moment"]
        return found

    def migrations(self) -> set[str]:
        """Return the names of the applied migrations; raises Unavailable if the database has no catalog."""
        return {row["name"] for row in self._database.rows(self._sql["migrations"])}
