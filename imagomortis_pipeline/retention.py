"""Retention: Dagster keeps its runs and their events for ever otherwise.

The latest run of every hour that still has pictures is kept, so that no partition loses its status.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from imagomortis.catalog import Catalog
from imagomortis.logs import Log
from imagomortis_pipeline.assets import RENDITIONS, hour_of_partition

log = Log(__name__)

PAGE: Final = 100
"""Runs that are looked at in one query."""

FINISHED: Final = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def expire_runs(instance: DagsterInstance, catalog: Catalog, days: float, until: float) -> int:
    """Delete runs that ended more than ``days`` ago, with their events and step logs; return how many.

    Stops at the monotonic time ``until``; what is left is for another time.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(
        RENDITIONS, DagsterEventType.ASSET_MATERIALIZATION
    )
    deleted = 0
    for record in _finished_runs(instance, before):
        if time.monotonic() > until:
            break
        run_id = record.dagster_run.run_id
        if not _is_latest_of_an_hour_with_pictures(instance, catalog, run_id, latest):
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
            deleted += 1
    if deleted:
        log.info("expired", runs=deleted, before=before.isoformat(timespec="seconds"))
    return deleted


def _finished_runs(instance: DagsterInstance, before: datetime) -> Iterator[RunRecord]:
    """Yield the runs that ended before then, newest first.

    A page is fetched before the one ahead of it is yielded: the cursor is a run that must still be there.
    """
    which = RunsFilter(statuses=FINISHED, updated_before=before)
    records = instance.get_run_records(which, limit=PAGE)
    while records:
        following = instance.get_run_records(which, limit=PAGE, cursor=records[-1].dagster_run.run_id)
        yield from records
        records = following


def _is_latest_of_an_hour_with_pictures(
    instance: DagsterInstance, catalog: Catalog, run_id: str, latest: Mapping[str, int]
) -> bool:
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION).records
    for record in records:
        partition = record.partition_key
        if partition is None or latest.get(partition) != record.storage_id:
            continue
        hour = hour_of_partition(partition)
        if catalog.queue.remaining((hour, hour + timedelta(hours=1))):
            return True
    return False
