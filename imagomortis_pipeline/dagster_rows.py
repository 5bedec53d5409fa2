"""Our own statements on Dagster's database, all of them here: what its storage has no call for.

Runs and events are deleted by Dagster's API. It leaves the evaluations of asset checks behind, and tells which run an
event is of only along with the whole event, some 30 KB of thumbnails each. Looked at in Dagster 1.13; to be looked at
again when Dagster is updated, which `tests/imagomortis_pipeline/test_retention.py` does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, cast

from dagster import DagsterInstance
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import text

RUNS_OF_EVENTS: Final = text("SELECT DISTINCT run_id FROM event_logs WHERE id = ANY(:ids)")

DELETE_CHECKS: Final = text(
    "DELETE FROM asset_check_executions"
    " WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = asset_check_executions.run_id)"
)


def runs_of_events(instance: DagsterInstance, storage_ids: Collection[int]) -> set[str]:
    """Return the ids of the runs that logged the events."""
    with _storage(instance).index_connection() as connection:
        return set(connection.execute(RUNS_OF_EVENTS, {"ids": list(storage_ids)}).scalars())


def delete_checks_without_run(instance: DagsterInstance) -> int:
    """Delete the evaluations of checks whose run was deleted, by whomever; return how many."""
    with _storage(instance).index_connection() as connection:
        return connection.execute(DELETE_CHECKS).rowcount


def _storage(instance: DagsterInstance) -> SqlEventLogStorage:
    return cast(SqlEventLogStorage, instance.event_log_storage)
