"""Reads the pipeline's figures for metrics: queue, attempts, durations of transforms, and the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.lifecycle import Outcome
from imagomortis.recipe.timings import Timing
from imagomortis.storage.usage import Use


@dataclass(frozen=True)
class QueueFigures:
    """Queued images, the seconds that the oldest has waited, expired leases, and whether processing is paused."""

    queued: int
    oldest_seconds: float
    expired_leases: int
    paused: bool


@dataclass(frozen=True)
class Attempts:
    """Attempts with the same outcome, cause and class of duration (None: the worker was lost)."""

    outcome: Outcome
    error_kind: str
    at_most: float | None
    attempts: int
    seconds: float


@dataclass(frozen=True)
class PostgresServer:
    """The size of the catalog's database in bytes, and Postgres's current and maximal client connections."""

    bytes: int
    connections: int
    most_connections: int


class Figures:
    """Statements for metrics."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("figures")

    def add_timings(self, timings: Sequence[Timing]) -> None:
        """Add to the histograms of the transforms."""
        if timings:
            self._database.rows(
                self._sql["add_timings"],
                transforms=[each.transform for each in timings],
                at_mosts=[each.at_most for each in timings],
                images=[each.images for each in timings],
                seconds=[each.seconds for each in timings],
            )

    def timings(self) -> list[Timing]:
        """Return the histograms of the transforms, by name and bound."""
        return [Timing(**row) for row in self._database.rows(self._sql["timings"])]

    def add_storage_usage(self, uses: Sequence[Use]) -> None:
        """Add requests to the object store to the figures."""
        if uses:
            self._database.rows(
                self._sql["add_storage_usage"],
                operations=[each.operation for each in uses],
                requests=[each.requests for each in uses],
                errors=[each.errors for each in uses],
                seconds=[each.seconds for each in uses],
                bytes=[each.bytes for each in uses],
            )

    def storage_usage(self) -> list[Use]:
        """Return the requests to the object store by operation."""
        return [Use(**row) for row in self._database.rows(self._sql["storage_usage"])]

    def queue(self) -> QueueFigures:
        """Return the state of the queue."""
        [row] = self._database.rows(self._sql["queue"])
        return QueueFigures(row["queued"], self.longest_wait() or 0.0, row["expired_leases"], row["paused"])

    def longest_wait(self) -> float | None:
        """Return the seconds that the oldest queued image has waited; None if the queue is empty."""
        row = self._database.row(self._sql["longest_wait"])
        return max(0.0, row["seconds"]) if row else None

    def usual_seconds(self, since: datetime) -> tuple[float, float] | None:
        """Return the median and the 95th percentile of the seconds of attempts that ended well since then."""
        [row] = self._database.rows(self._sql["usual_seconds"], since=since)
        return tuple(row["seconds"]) if row["seconds"] else None

    def note_spooled(self, pictures: int) -> None:
        """Store how many pictures the spool holds, for parts that cannot read the spool."""
        self._database.rows(self._sql["note_spooled"], pictures=pictures)

    def spooled(self, seconds: float) -> int | None:
        """Return how many pictures the spool held within the last ``seconds``; None if that was not stored."""
        row = self._database.row(self._sql["spooled"], seconds=seconds)
        return row["pictures"] if row else None

    def now(self) -> datetime:
        """Return the server's time, by which all attempts are dated."""
        [row] = self._database.rows(self._sql["now"])
        found: datetime = row["now"]
        return found

    def attempts(self, since: datetime, until: datetime, bounds: Sequence[float]) -> list[Attempts]:
        """Count the attempts that ended after ``since`` and up to ``until``, in classes with these upper bounds."""
        # width_bucket's bounds are lower ones and inclusive; a value that is exactly a bound hardly ever comes
        rows = self._database.rows(self._sql["attempts"], since=since, until=until, bounds=list(bounds[:-1]))
        return [
            Attempts(
                Outcome(row["outcome"]),
                row["error_kind"],
                None if row["class"] is None else bounds[row["class"]],
                row["attempts"],
                row["seconds"],
            )
            for row in rows
        ]

    def server(self) -> PostgresServer:
        """Return the size of the database and the connections of its server."""
        [row] = self._database.rows(self._sql["server"])
        return PostgresServer(row["bytes"], row["connections"], row["most_connections"])
