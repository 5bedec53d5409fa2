"""What a healthy system has none of, and what waits: for those who look after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements


@dataclass(frozen=True)
class Waiting:
    """What waits, since when, and when the last attempt of the past hour ended; all by the database's clock."""

    queued: int
    oldest: datetime | None
    last_ended: datetime | None
    now: datetime
    failed: int
    paused_at: datetime | None


@dataclass(frozen=True)
class StuckLease:
    """An image whose lease ran out without anybody noticing."""

    id: UUID
    filename: str
    run_id: str
    expired_at: datetime


class Health:
    """Every statement that only looks whether the system is well."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("health")

    def waiting(self) -> Waiting:
        """Return what waits."""
        [row] = self._database.rows(self._sql["queue"])
        return Waiting(**row)

    def stuck_leases(self, seconds: float) -> list[StuckLease]:
        """Return the leases that ran out more than ``seconds`` ago, the oldest first."""
        return [StuckLease(**row) for row in self._database.rows(self._sql["stuck_leases"], seconds=seconds)]

    def stuck_workers(self, seconds: float) -> list[UUID]:
        """Return the workers that were not seen for ``seconds`` and are not noted as gone."""
        return [row["id"] for row in self._database.rows(self._sql["stuck_workers"], seconds=seconds)]

    def runs_at_work(self, seconds: float) -> set[str]:
        """Return the runs whose worker was seen, or left, within ``seconds``."""
        return {row["run_id"] for row in self._database.rows(self._sql["runs_at_work"], seconds=seconds)}

    def moment(self) -> datetime:
        """Return what time it is for the database."""
        [row] = self._database.rows(self._sql["moment"])
        found: datetime = row["moment"]
        return found

    def migrations(self) -> set[str]:
        """Return the steps that the schema of the database has; raises Unavailable where it has none at all."""
        return {row["name"] for row in self._database.rows(self._sql["migrations"])}
