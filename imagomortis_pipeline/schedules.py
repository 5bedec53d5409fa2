"""The schedules. They work inside their ticks, without a run, a Job or rows in the event log."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.drafts import SpoolAway
from imagomortis.spool.opening import uploads_of
from imagomortis_pipeline import resources
from imagomortis_pipeline.dagster_internals.tables.rows import report_check
from imagomortis_pipeline.dagster_internals.trials import is_trial
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from imagomortis_pipeline.image_task.report import check_of
from imagomortis_pipeline.upkeep import janitor
from imagomortis_pipeline.upkeep.retention import Terms, expire

log = Log(__name__)

SLICE_SECONDS: Final = 20.0
"""A tick works for at most so long. The next one does the rest."""

TRIAL: Final = "A test changes nothing. The daemon's ticks do the work."

AWAY: Final = "The database is away, or the storage. The next tick does the work."

ABANDONED_SECONDS: Final = 3600.0
"""A part of an upload that has not changed for so long is abandoned."""


Work = Callable[[DagsterInstance], str]
"""Works for up to SLICE_SECONDS, and returns a sentence about it. Its docstring is shown in the webserver."""


def _each(cron_schedule: str) -> Callable[[Work], ScheduleDefinition]:
    """Make a schedule of a function that does the work of a tick."""

    def schedule_of(work: Work) -> ScheduleDefinition:
        @schedule(
            cron_schedule,
            name=work.__name__,
            job_name=PROCESS_IMAGES,
            default_status=DefaultScheduleStatus.RUNNING,
            description=work.__doc__,
        )
        def tick(context: ScheduleEvaluationContext) -> SkipReason:
            if is_trial(context):
                return SkipReason(TRIAL)
            try:
                return SkipReason(work(context.instance))
            except Unavailable as error:
                log.warning("waiting", error=error.detail)
                return SkipReason(f"{AWAY} ({error.detail})")

        return tick

    return schedule_of


@_each("* * * * *")
def sweep(instance: DagsterInstance) -> str:
    """Note lost workers, purge deleted images, remove abandoned uploads and orphaned Jobs."""
    catalog, settings = resources.catalog(), resources.settings()
    _look_at_failures_that_go(instance, catalog, settings)
    return f"{sweep_once(catalog, resources.spool(), settings)} {_sweep_jobs(instance, settings)}".rstrip()


@_each("17 * * * *")
def retention(instance: DagsterInstance) -> str:
    """Delete expired runs with their events and step logs, attempts and images, and old images in the trash."""
    until, terms = time.monotonic() + SLICE_SECONDS, Terms.of(resources.settings())
    return f"{expire(instance, resources.catalog(), terms, datetime.now(UTC), until)} deleted."


@_each("* * * * *")
def exports(_: DagsterInstance) -> str:
    """Write the outputs of finished images to the targets that their recipes name."""
    written, failed = resources.export_writer().write(time.monotonic() + SLICE_SECONDS)
    return f"{written} images exported, {failed} failed and will be tried again."


def _look_at_failures_that_go(instance: DagsterInstance, catalog: Catalog, settings: Settings) -> None:
    """Evaluate the checks of hours whose failed images are about to be purged. No run will do so afterwards."""
    for hour in catalog.images.hours_of_purged_failures(settings.undo_seconds):
        report_check(instance, check_of(catalog, hour))


def sweep_once(catalog: Catalog, spool: AnySpool, settings: Settings) -> str:
    """Remove lost workers, deleted images and abandoned parts, for up to SLICE_SECONDS; return a sentence about it."""
    until = time.monotonic() + SLICE_SECONDS
    catalog.images.fold_totals()
    gone = catalog.workers.sweep()
    for worker, run in gone:
        log.warning("gone", worker=worker, run=run)
    purged = objects = abandoned = 0
    for remove in (partial(spool.sweep, ABANDONED_SECONDS), uploads_of(spool, settings).sweep):
        try:
            abandoned += remove()
        except SpoolAway as error:
            log.warning("waiting", error=error.detail)
    try:
        while time.monotonic() < until and (images := catalog.images.purge(settings.undo_seconds)):
            purged += images
        objects, _ = catalog.object_sweep.sweep()  # one page a tick, so a large store is not listed all the time
    except Unavailable as error:  # the other work of a tick needs no object store
        log.warning("waiting", error=error.detail)
    catalog.note_storage_usage()
    if gone or purged or abandoned or objects:
        log.info("swept", workers=len(gone), purged=purged, abandoned=abandoned, objects=objects)
    removed = f", {objects} objects without a row removed" if objects else ""
    return f"{len(gone)} workers gone, {purged} images purged, {abandoned} abandoned parts removed{removed}."


def _sweep_jobs(instance: DagsterInstance, settings: Settings) -> str:
    if not settings.is_in_cluster:
        return ""
    removed = janitor.remove_orphans(instance, janitor.cluster_jobs(settings.namespace))
    return f"{removed} orphaned Jobs removed."
