"""Our own statements on Dagster's database, for which its storage has no methods.

Dagster's API deletes runs and events. It leaves the evaluations of asset checks behind, and without a run it stores
only one for each partition. It returns the run of an
event only with the whole event, which has 30 KB of thumbnails. Postgres reuses only empty pages of the event log's
indexes, and the one run that stays of each hour has an entry on most pages. All this is true of Dagster 1.13;
`tests/imagomortis_pipeline/upkeep/test_retention.py` fails when it changes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, cast

from dagster import AssetCheckEvaluation, AssetKey, DagsterInstance
from dagster._core.scheduler.instigation import InstigatorState, TickStatus
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from imagomortis.logs import Log

log = Log(__name__)

RUNS_OF_EVENTS: Final = text("SELECT DISTINCT run_id FROM event_logs WHERE id = ANY(:ids)")

DELETE_CHECKS: Final = text(
    "DELETE FROM asset_check_executions"
    " WHERE asset_key = :asset AND run_id <> ''"
    " AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = asset_check_executions.run_id)"
)

DELETE_CHECK: Final = text(
    "DELETE FROM asset_check_executions"
    " WHERE asset_key = :asset AND check_name = :check AND partition = :partition AND run_id = ''"
)

DELETE_SUPERSEDED: Final = text(
    "DELETE FROM event_logs WHERE run_id = '' AND asset_key = :asset AND EXISTS (SELECT FROM event_logs AS later"
    " WHERE later.run_id = '' AND later.asset_key = :asset AND later.dagster_event_type = event_logs.dagster_event_type"
    " AND later.partition = event_logs.partition AND later.id > event_logs.id)"
)

# a new index takes some 100 bytes per event; small tables and those without statistics are left alone
HAS_HOLLOW_INDEXES: Final = text(
    "SELECT reltuples >= 0 AND pg_indexes_size(oid) > 4 * 1024 * 1024 + 300 * reltuples"
    " FROM pg_class WHERE oid = 'event_logs'::regclass"
)

REBUILD_INDEXES: Final = text("REINDEX TABLE CONCURRENTLY event_logs")

# indexes that an interrupted rebuild left behind
UNFINISHED_INDEXES: Final = text(
    "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'event_logs'::regclass AND NOT indisvalid"
)

# Dagster's own deletion selects the ticks of an instigator in the same way
COUNT_TICKS: Final = text(
    "SELECT count(*) FROM job_ticks WHERE timestamp < to_timestamp(:before) AT TIME ZONE 'UTC' AND status = :status"
    " AND (selector_id = :selector OR selector_id IS NULL AND job_origin_id = :origin)"
)

LIMIT_TIMES: Final = text(
    "SELECT set_config('lock_timeout', :wait, false), set_config('statement_timeout', :time, false)"
)

LOCK_WAIT: Final = "2s"
"""How long a rebuild waits for others that use the event log."""

REBUILD_TIME: Final = "30s"
"""How long one statement of a rebuild may take. The webserver shows a tick as failed after a minute."""

INTERRUPTED: Final = frozenset({"55P03", "57014"})
"""Lock not available, query canceled: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def runs_of_events(instance: DagsterInstance, storage_ids: Collection[int]) -> set[str]:
    """Return the ids of the runs that logged the events."""
    with _storage(instance).index_connection() as connection:
        return set(connection.execute(RUNS_OF_EVENTS, {"ids": list(storage_ids)}).scalars())


def count_ticks(instance: DagsterInstance, of: InstigatorState, status: TickStatus, before: float) -> int:
    """Count the ticks of a sensor or schedule with that status, before a time in seconds since 1970."""
    values = {"selector": of.selector_id, "origin": of.instigator_origin_id, "status": status.value, "before": before}
    with _storage(instance).index_connection() as connection:
        return int(connection.execute(COUNT_TICKS, values).scalar_one())


def delete_checks_without_run(instance: DagsterInstance, asset: AssetKey) -> int:
    """Delete the evaluations of an asset's checks whose run was deleted, by anybody; return how many."""
    with _storage(instance).index_connection() as connection:
        return connection.execute(DELETE_CHECKS, {"asset": asset.to_string()}).rowcount


def report_check(instance: DagsterInstance, check: AssetCheckEvaluation) -> None:
    """Report an evaluation without a run. It replaces the one before: Dagster refuses a second of a partition."""
    key = {"asset": check.asset_key.to_string(), "check": check.check_name, "partition": check.partition}
    with _storage(instance).index_connection() as connection:
        connection.execute(DELETE_CHECK, key)
    instance.report_runless_asset_event(check)


def delete_superseded_events(instance: DagsterInstance, asset: AssetKey) -> int:
    """Delete an asset's events without a run, except for the last one of each partition; return how many."""
    with _storage(instance).index_connection() as connection:
        return connection.execute(DELETE_SUPERSEDED, {"asset": asset.to_string()}).rowcount


def rebuild_indexes(instance: DagsterInstance) -> bool:
    """Rebuild the event log's indexes if they are mostly empty; return whether it did.

    Others can use the event log meanwhile. If a long transaction uses it, the next retention rebuilds the indexes.
    """
    with _storage(instance).index_connection() as connection:
        connection.execute(LIMIT_TIMES, {"wait": LOCK_WAIT, "time": REBUILD_TIME})
        try:
            if not connection.execute(HAS_HOLLOW_INDEXES).scalar_one():
                return False
            for name in connection.execute(UNFINISHED_INDEXES).scalars().all():
                connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
            connection.execute(REBUILD_INDEXES)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) not in INTERRUPTED:
                raise
            log.warning("waiting", error="The event log is in use. The next retention rebuilds its indexes.")
            return False
        finally:
            connection.execute(LIMIT_TIMES, {"wait": "0", "time": "0"})
    log.info("rebuilt", table="event_logs")
    return True


def _storage(instance: DagsterInstance) -> SqlEventLogStorage:
    return cast(SqlEventLogStorage, instance.event_log_storage)
