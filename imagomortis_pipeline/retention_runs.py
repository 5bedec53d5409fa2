"""Which of Dagster's runs are kept, and the end of the others.

A run goes when it is too old, or when there are too many newer ones. The run by which an hour has its status is kept as
long as the hour has pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from imagomortis.catalog import Catalog
from imagomortis_pipeline.assets import RENDITIONS, hour_of_partition
from imagomortis_pipeline.dagster_rows import delete_checks_without_run, runs_of_events

PAGE: Final = 1000
"""Runs that are asked for in one query."""

FINISHED: Final = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def expired_runs(instance: DagsterInstance, catalog: Catalog, before: datetime, most: int) -> list[str]:
    """Return the runs that go, oldest first: ended before then, or behind ``most`` newer ones."""
    kept = runs_of_hours(instance, catalog)
    finished = [run_id for run_id in _ids(instance, RunsFilter(statuses=FINISHED)) if run_id not in kept]
    old = set(_ids(instance, RunsFilter(statuses=FINISHED, updated_before=before)))
    return [run_id for number, run_id in enumerate(finished) if number >= most or run_id in old][::-1]


def runs_of_hours(instance: DagsterInstance, catalog: Catalog) -> set[str]:
    """Return the runs by which the hours that have pictures have their status.

    For each hour that is the last run that materialized it, and one that was to do so later and did not.
    """
    storage = instance.event_log_storage
    made = storage.get_latest_storage_id_by_partition(RENDITIONS, DagsterEventType.ASSET_MATERIALIZATION)
    planned = storage.get_latest_storage_id_by_partition(RENDITIONS, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    hours = {hour_of_partition(partition): partition for partition in made.keys() | planned.keys()}
    partitions = {hours[hour] for hour in catalog.retention.hours_with_pictures(hours)}
    events = {made[partition] for partition in partitions & made.keys()}
    events |= {planned[each] for each in partitions & planned.keys() if planned[each] > made.get(each, 0)}
    return runs_of_events(instance, events)


def delete_runs(instance: DagsterInstance, run_ids: list[str], until: float) -> int:
    """Delete runs with their events, step logs and check evaluations, up to the monotonic time; return how many."""
    deleted = 0
    for run_id in run_ids:
        if time.monotonic() > until:
            break
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        deleted += 1
    delete_checks_without_run(instance)
    return deleted


def note_expired(instance: DagsterInstance, catalog: Catalog) -> int:
    """Let the attempts whose run is gone say so, whoever deleted it; return how many runs were found to be gone."""
    known = catalog.retention.runs()
    gone = 0
    for start in range(0, len(known), PAGE):
        page = known[start : start + PAGE]
        missing = set(page) - set(instance.get_run_ids(RunsFilter(run_ids=page)))
        if missing:
            catalog.retention.expire_runs(sorted(missing))
        gone += len(missing)
    return gone


def _ids(instance: DagsterInstance, which: RunsFilter) -> Iterator[str]:
    """Yield the ids of runs, newest first."""
    cursor: str | None = None
    while page := instance.get_run_ids(which, cursor=cursor, limit=PAGE):
        yield from page
        cursor = page[-1]
