"""A month of operation in a minute: what a real run and its ticks wrote, again and again under other ids and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import psycopg
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorTick, InstigatorType, TickData, TickStatus

from imagomortis.catalog import Catalog
from imagomortis.spool.upload import hour_of
from imagomortis_pipeline.assets import partition_of
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from tests.imagomortis_pipeline.image_task.test_job import add
from tests.imagomortis_pipeline.upkeep.location import note_pushers, run

HOUR: Final = timedelta(hours=1)
STEP: Final = 6 * HOUR
"""How much is written at once."""

STEPS_A_DAY: Final = 4

# a real run has events of the daemon and the launcher, in a cluster some twenty
ENGINE_EVENTS: Final = 15

RUN_COPIES: Final = """
    CREATE TEMPORARY TABLE copies AS
    SELECT gen_random_uuid()::text AS new_id, moment, to_char(date_trunc('hour', moment), 'YYYY-MM-DD-HH24:00') AS hour
    FROM generate_series(0, %(runs)s - 1) AS number,
         LATERAL (SELECT %(start)s::timestamp + number * %(length)s::interval / %(runs)s AS moment) AS moments
"""

RUNS: Final = """
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, partition, partition_set,
                      create_timestamp, update_timestamp, start_time, end_time)
    SELECT new_id, snapshot_id, pipeline_name, status,
           replace(replace(run_body, %(run)s, new_id), %(hour)s, hour), hour, partition_set,
           moment, moment, extract(epoch FROM moment), extract(epoch FROM moment)
    FROM copies, runs
    WHERE run_id = %(run)s
"""

TAGS: Final = """
    INSERT INTO run_tags (run_id, key, value)
    SELECT new_id, key, CASE WHEN key = %(worker)s THEN gen_random_uuid()::text ELSE replace(value, %(hour)s, hour) END
    FROM copies, run_tags
    WHERE run_id = %(run)s
"""

EVENTS: Final = """
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    SELECT new_id, replace(replace(event, %(run)s, new_id), %(hour)s, hour), dagster_event_type, moment, step_key,
           asset_key, CASE WHEN partition IS NOT NULL THEN hour END
    FROM copies, event_logs
    WHERE run_id = %(run)s
    ORDER BY moment, event_logs.id
"""

CHECKS: Final = """
    INSERT INTO asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
                                        evaluation_event_timestamp, evaluation_event_storage_id,
                                        materialization_event_storage_id, create_timestamp)
    SELECT asset_key, check_name, hour, new_id, execution_status,
           replace(replace(evaluation_event, %(run)s, new_id), %(hour)s, hour), moment, evaluation_event_storage_id,
           materialization_event_storage_id, moment
    FROM copies, asset_check_executions
    WHERE run_id = %(run)s
"""

TICKS: Final = """
    INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)
    SELECT job_origin_id, selector_id, status, type,
           %(start)s::timestamp + number * %(length)s::interval / %(ticks)s, tick_body
    FROM job_ticks, generate_series(0, %(ticks)s - 1) AS number
    WHERE id = %(id)s
"""


class Month:
    """Writes a month, step by step, into Dagster's database and the catalog."""

    def __init__(self, dagster: str, instance: DagsterInstance, catalog: Catalog, runs_a_day: int) -> None:
        """Take the URL of Dagster's database, the instance on it, the catalog, and how many runs a day has."""
        self._connection = psycopg.connect(dagster, autocommit=True)
        self._instance = instance
        self._catalog = catalog
        self._runs = runs_a_day // STEPS_A_DAY
        self._start = hour_of(datetime.now(UTC)) - timedelta(days=30)
        note_pushers(instance)
        self._run, self._hour = self._one_run()
        # each pusher is on duty for 20 s and asks for one worker at most; the sweep comes each minute
        self.ticks = [
            (self._one_tick("pusher", InstigatorType.SENSOR, TickStatus.SKIPPED), STEP.seconds // 20),
            (self._one_tick("pusher", InstigatorType.SENSOR, TickStatus.SUCCESS), self._runs),
            (self._one_tick("sweep", InstigatorType.SCHEDULE, TickStatus.SKIPPED), STEP.seconds // 60),
            (self._one_tick("retention", InstigatorType.SCHEDULE, TickStatus.SKIPPED), STEP.seconds // 3600),
        ]

    def step(self) -> datetime:
        """Write what a quarter of a day leaves; return when it ends."""
        start, self._start = self._start, self._start + STEP
        span = {"start": start, "length": STEP}
        values = {"run": self._run, "hour": self._hour, "worker": WORKER_TAG, "runs": self._runs, **span}
        with self._connection.transaction():
            self._connection.execute("SET LOCAL TIME ZONE 'UTC'")
            self._connection.execute(RUN_COPIES, values)
            for statement in (RUNS, TAGS, EVENTS, CHECKS):
                self._connection.execute(statement, values)
            for tick, ticks in self.ticks:
                self._connection.execute(TICKS, {"id": tick.tick_id, "ticks": ticks, **span})
            self._connection.execute("DROP TABLE copies")
        for hour in range(STEP // HOUR):
            add(self._catalog, 1, start + hour * HOUR, data=f"{start} {hour}".encode())
        return self._start

    def purge_ticks(self, now: datetime) -> None:
        """Do what Dagster's daemon does after each tick."""
        for tick, _ in self.ticks:
            for status, days in self._instance.get_tick_retention_settings(tick.instigator_type).items():
                if days > 0:
                    before = (now - timedelta(days=days)).timestamp()
                    self._instance.purge_ticks(tick.instigator_origin_id, tick.selector_id, before, [status])

    def vacuum(self) -> None:
        """Do what autovacuum does in the course of a day."""
        self._connection.execute("VACUUM ANALYZE")

    def size(self) -> int:
        """The bytes that Dagster's database takes."""
        row = self._connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row
        return int(row[0])

    def rows(self, table: str) -> int:
        """The number of rows of a table."""
        row = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
        assert row
        return int(row[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _one_run(self) -> tuple[str, str]:
        """Execute a run with a full sheet of thumbnails; return its id and its hour."""
        add(self._catalog, 24, self._start - HOUR)
        hour = partition_of(hour_of(self._start - HOUR))
        result = run(self._instance, hour, **{WORKER_TAG: str(uuid4())})
        assert result.success
        found = self._instance.get_run_by_id(result.run_id)
        assert found
        for number in range(ENGINE_EVENTS):
            self._instance.report_engine_event(f"[{number}] The launcher started the process of the run. " * 5, found)
        return result.run_id, hour

    def _one_tick(self, name: str, kind: InstigatorType, status: TickStatus) -> InstigatorTick:
        return self._instance.create_tick(
            TickData(
                instigator_origin_id=f"origin of {name}",
                instigator_name=name,
                instigator_type=kind,
                status=status,
                timestamp=(self._start - HOUR).timestamp(),
                end_timestamp=(self._start - HOUR).timestamp() + 20,
                selector_id=f"selector of {name}",
                skip_reason="Nothing that needs another worker." if status is TickStatus.SKIPPED else None,
                run_ids=[self._run] if status is TickStatus.SUCCESS else [],
                run_keys=[str(uuid4())] if status is TickStatus.SUCCESS else [],
            )
        )
