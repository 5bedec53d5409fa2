"""Reads figures of Dagster from its database, because importing Dagster costs 100 MiB and two seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg import sql

from imagomortis.catalog import Database

_TICKS: Final = sql.SQL("""
SELECT body -> 'origin' ->> 'job_name' AS name, lower(instigator_type) AS kind,
       extract(epoch FROM (now() AT TIME ZONE 'UTC') - ticked)::float8 AS age
FROM (SELECT instigator_type, instigator_body::json AS body,
             (SELECT max(timestamp) FROM job_ticks WHERE job_ticks.selector_id = instigators.selector_id) AS ticked
      FROM instigators) AS instigator
WHERE ticked IS NOT NULL
ORDER BY 1
""")

_RUNS: Final = sql.SQL("SELECT lower(status) AS status, count(*) AS runs FROM runs GROUP BY 1")

_HEARTBEAT: Final = sql.SQL("""
SELECT extract(epoch FROM now())::float8 - max((body::json ->> 'timestamp')::float8) AS age FROM daemon_heartbeats
""")

# counting the rows of a large table takes seconds; its statistics are near enough
_SIZES: Final = sql.SQL("""
SELECT pg_database_size(current_database()) AS database, pg_total_relation_size('event_logs') AS events,
       (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'event_logs'::regclass) AS event_rows,
       coalesce((SELECT extract(epoch FROM now() AT TIME ZONE 'UTC' - timestamp)
                 FROM event_logs ORDER BY id LIMIT 1), 0)::float8 AS event_age
""")


@dataclass(frozen=True)
class Tick:
    """A sensor or schedule, and how many seconds ago its last tick began."""

    name: str
    kind: str
    age: float


@dataclass(frozen=True)
class Sizes:
    """Bytes of the database and of its event log, about how many events there are, and seconds since the first."""

    database: int
    events: int
    event_rows: int
    event_age: float


class DagsterFigures:
    """The figures in Dagster's database."""

    def __init__(self, database: Database) -> None:
        """Take Dagster's database."""
        self._database = database

    def ticks(self) -> list[Tick]:
        """Return the last tick of every sensor and schedule that ever had one."""
        return [Tick(row["name"], row["kind"], max(0.0, row["age"])) for row in self._database.rows(_TICKS)]

    def runs(self) -> dict[str, int]:
        """Count the runs by status."""
        return {row["status"]: row["runs"] for row in self._database.rows(_RUNS)}

    def heartbeat_age(self) -> float | None:
        """Return how many seconds ago the daemon last reported; None if it never did."""
        [row] = self._database.rows(_HEARTBEAT)
        return None if row["age"] is None else max(0.0, row["age"])

    def sizes(self) -> Sizes:
        """Return how large the database is."""
        [row] = self._database.rows(_SIZES)
        return Sizes(row["database"], row["events"], row["event_rows"], row["event_age"])
