"""Deletes expired runs of Dagster.

A run expires when it is too old, or when there are too many newer ones. The run by which an hour has its status is
kept as long as the hour has pictures. Runs of other code locations of the same Dagster are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from imagomortis.catalog import Catalog
from imagomortis_pipeline.assets import ORIGINALS, RENDITIONS, hour_of_partition
from imagomortis_pipeline.dagster_internals import step_logs
from imagomortis_pipeline.dagster_internals.tables.instigators import REPOSITORY_TAG, repositories_with
from imagomortis_pipeline.dagster_internals.tables.rows import (
    delete_checks_without_run,
    delete_superseded_events,
    runs_of_events,
)

PAGE: Final = 1000
"""Runs that one query returns, between two looks at the clock."""

LOGS_GRACE_SECONDS: Final = 3600.0
"""Younger step logs are left alone, because their run may not be noted yet."""

PUSHERS: Final = ("pusher_a", "pusher_b")
"""The sensors by which our own code location is known, whatever it is called in this Dagster."""

FINISHED: Final = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def expired_runs(instance: DagsterInstance, catalog: Catalog, before: datetime, most: int) -> list[str]:
    """Return our expired runs, oldest first: those that ended before then or have ``most`` newer ones."""
    if not (repositories := repositories_with(instance, PUSHERS)):
        return []  # no daemon has called a sensor of ours yet, so no run was asked for
    own = {REPOSITORY_TAG: repositories}
    kept = runs_of_hours(instance, catalog)
    finished = [run_id for run_id in _ids(instance, RunsFilter(statuses=FINISHED, tags=own)) if run_id not in kept]
    old = set(_ids(instance, RunsFilter(statuses=FINISHED, tags=own, updated_before=before)))
    return [run_id for number, run_id in enumerate(finished) if number >= most or run_id in old][::-1]


def runs_of_hours(instance: DagsterInstance, catalog: Catalog) -> set[str]:
    """Return the runs by which the hours that have images have their status.

    For each hour these are the last run that materialized it, and a later one that should have done so and failed.
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
    delete_checks_without_run(instance, RENDITIONS)
    delete_superseded_events(instance, ORIGINALS)
    _delete_logs_without_run(instance, until)
    return deleted


def _delete_logs_without_run(instance: DagsterInstance, until: float) -> None:
    """Delete the step logs of runs that a person deleted, up to the monotonic time. Dagster leaves them behind."""
    folder = step_logs.folder_of(instance)
    if folder is None:
        return  # a bucket has rules of its own for the age of its objects
    folders = (each.name for each in folder.glob("*/") if _is_id(each.name) and _is_old(each))
    while time.monotonic() < until and (page := list(islice(folders, PAGE))):
        for run_id in _without_run(instance, page):
            instance.compute_log_manager.delete_logs(prefix=[run_id])


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _is_old(folder: Path) -> bool:
    with suppress(FileNotFoundError):  # another retention deletes it at this moment
        return time.time() - folder.stat().st_mtime > LOGS_GRACE_SECONDS
    return False


def note_expired(instance: DagsterInstance, catalog: Catalog) -> int:
    """Mark the attempts whose run was deleted, by anybody; return how many runs those were."""
    gone = _without_run(instance, catalog.retention.runs())
    if gone:
        catalog.retention.expire_runs(gone)
    return len(gone)


def _without_run(instance: DagsterInstance, run_ids: list[str]) -> list[str]:
    """Return the ids that belong to no run."""
    known: set[str] = set()
    for start in range(0, len(run_ids), PAGE):
        known.update(instance.get_run_ids(RunsFilter(run_ids=run_ids[start : start + PAGE])))
    return sorted(set(run_ids) - known)


def _ids(instance: DagsterInstance, which: RunsFilter) -> Iterator[str]:
    """Yield the ids of runs, newest first."""
    cursor: str | None = None
    while page := instance.get_run_ids(which, cursor=cursor, limit=PAGE):
        yield from page
        cursor = page[-1]
