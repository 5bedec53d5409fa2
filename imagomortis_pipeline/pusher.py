"""The pusher: two sensors that take turns to ingest the spool's entries and to ask for workers.

Dagster calls a sensor every 5 s at best, which is too slow for people who watch. So a tick stays on duty for 20 s
(IMAGOMORTIS_DUTY_SECONDS). An advisory lock in Postgres lets one of the two sensors be on duty. The other one waits for
the lock, so the hand-over leaves no gap.
Asking for workers is a reconciliation. Each look computes from the queue how many workers should be there. So the next
look makes up for a request that was lost or a run that died.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Final
from uuid import UUID

import psycopg
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRecord,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from imagomortis import version
from imagomortis.catalog import Catalog
from imagomortis.catalog.connection.database import has_news
from imagomortis.catalog.queue import Depth
from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.drafts import SpoolAway
from imagomortis.work.ingest import ingest
from imagomortis.work.worker_count import LEAST_SECONDS, images_limit, standby_workers, wanted_workers
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import known_hour, partition_of
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_PRIORITY, WORKER_TAG
from imagomortis_pipeline.dagster_internals.tables.instigators import sensor_daemon
from imagomortis_pipeline.dagster_internals.trials import is_trial
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from imagomortis_pipeline.upkeep.janitor import Jobs, cluster_jobs

log = Log(__name__)

WAIT_SECONDS: Final = 10.0
"""A tick waits so much longer than the duty of the other sensor lasts. Else both could end together and leave a gap."""

SCAN_SECONDS: Final = 0.01
"""The pause between two looks at an empty spool."""

INGEST_SECONDS: Final = 1.0
"""How long a full spool is ingested between two looks at the queue."""

STAY_SECONDS: Final = 25.0
"""How long a tick that asked for workers stays on duty. Dagster calls the other sensor within 5 s."""

LOOK_SECONDS: Final = 1.0
"""The time between two looks at the queue and the workers while no image arrives."""

PACE_SECONDS: Final = 3.0
"""The time between two looks at how long an image takes."""

NOTE_SECONDS: Final = 10.0
"""How often the number of images in the spool is noted while it stays the same. A note is valid for 30 s."""

SILENT_SECONDS: Final = 7.0
"""A worker reports every 5 s. After so long without a report the pusher looks for its Job."""

START_GRACE_SECONDS: Final = 5.0
"""After so long the pusher looks at the run of a worker that has not started. The run may have ended."""

MAKING_GRACE_SECONDS: Final = 12.0
"""After so long a missing run will never be created. A busy daemon takes seconds to create one."""

GRACE_A_RUN_SECONDS: Final = 1.0
"""The grace for each further worker that has not started."""

QUEUE_GRACE_SECONDS: Final = 45.0
"""After so long a worker that is still on its way is expected anew, before it counts as gone."""

LISTENER_SECONDS: Final = 2.0
"""The time between two looks at which daemon is there. A new daemon has reported by the first look."""

BEGINNING: Final = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)

TRIAL: Final = "A test ingests nothing and asks for no workers. The daemon's ticks do that every second."

DUTY_LOCK: Final = 4_242_002
"""The advisory lock of the pusher on duty."""

IS_AWAITED: Final = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE datname = current_database() AND locktype = 'advisory' AND objid = %s AND NOT granted)"
)

AWAITED_SECONDS: Final = 0.1
"""The time between two looks at whether the other sensor waits, while the spool is empty."""


def push(
    spool: AnySpool,
    catalog: Catalog,
    instance: DagsterInstance,
    settings: Settings,
    until: float,
    *,
    jobs: Jobs | None = None,
    is_on_duty: Callable[[], bool] = lambda: True,
) -> list[RunRequest]:
    """Look at least once, until the monotonic time ``until`` or until workers are missing; return requests for them.

    ``jobs`` are the Jobs of the runs in a cluster. A tick stops if its daemon is gone, because no daemon would receive
    the request. It also stops if it is no longer on duty, because the other sensor works then.
    """
    catalog.workers.note_release(version())
    tell = resources.arrivals().add
    next_look, note, listener = 0.0, SpoolNote(spool, catalog), Listener(instance)
    pace = Pace(catalog)
    is_last = False
    while not is_last and listener.is_there() and is_on_duty():
        now = time.monotonic()
        is_last = now >= until
        try:
            arrived, pause = ingest(spool, catalog, now + INGEST_SECONDS, tell), SCAN_SECONDS
            spooled = spool.count() if arrived else 0
            note.keep()
        except (OSError, SpoolAway) as error:  # the spool is away or read-only; the catalog's images go on
            log.warning("waiting", error=str(error))
            arrived, spooled, pause = 0, 0, LOOK_SECONDS
        if arrived or now >= next_look:
            if requests := ask_for_workers(catalog, instance, settings, jobs, spooled=spooled, pace=pace):
                return requests
            next_look = now + LOOK_SECONDS
        if not arrived:
            time.sleep(pause)
    return []


class Listener:
    """The daemon that waits for the answer of a tick. The tick itself goes on when the daemon dies."""

    def __init__(self, instance: DagsterInstance) -> None:
        """Take the instance, to which each daemon reports every half minute."""
        self._instance = instance
        self._next_look = time.monotonic() + LISTENER_SECONDS
        self._id: str | None = None

    def is_there(self) -> bool:
        """Whether no other daemon had taken its place at the last look."""
        now = time.monotonic()
        if now < self._next_look:
            return True
        self._next_look = now + LISTENER_SECONDS
        before, self._id = self._id, sensor_daemon(self._instance)
        return before in {None, self._id}


class SpoolNote:
    """Notes in the catalog how many images the spool holds, because the API cannot see the spool in a cluster."""

    def __init__(self, spool: AnySpool, catalog: Catalog) -> None:
        """Take the spool to look at, and the catalog."""
        self._spool = spool
        self._catalog = catalog
        self._pictures: int | None = None
        self._noted_at = self._looked_at = float("-inf")

    def keep(self) -> None:
        """Look once a second, and write a number that has changed or would become too old."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        pictures = self._spool.count()
        if pictures != self._pictures or now - self._noted_at >= NOTE_SECONDS:
            self._catalog.figures.note_spooled(pictures)
            self._pictures, self._noted_at = pictures, now


class Pace:
    """The seconds that a queued image will take, read every few seconds."""

    def __init__(self, catalog: Catalog) -> None:
        """Take the catalog."""
        self._catalog = catalog
        self._seconds, self._next_look = LEAST_SECONDS, float("-inf")

    def seconds(self) -> float:
        """Return the seconds that one image will take."""
        if time.monotonic() >= self._next_look:
            self._seconds = self._catalog.queue.seconds_each(LEAST_SECONDS)
            self._next_look = time.monotonic() + PACE_SECONDS
        return self._seconds


def ask_for_workers(
    catalog: Catalog,
    instance: DagsterInstance,
    settings: Settings,
    jobs: Jobs | None = None,
    *,
    spooled: int = 0,
    pace: Pace | None = None,
) -> list[RunRequest]:
    """Return a request for each worker that the queue needs beyond those that run or were asked for.

    The queue is about to grow by ``spooled`` images. ``pace`` tells how long an image takes.
    """
    work = RunsAtWork(jobs) if jobs else None
    catalog.workers.keep_contact()
    _release_lost(catalog, instance, settings, work)
    depth = catalog.queue.depth(images_limit(settings))
    _look_after_waiting(catalog, instance, settings, work)
    if not depth.queued and not settings.min_workers:
        return []
    missing, oldest = _missing(catalog, settings, pace or Pace(catalog), depth, spooled)
    if missing <= 0:
        return []
    _end_vanished(catalog, instance)
    hour = known_hour(oldest or datetime.now(UTC))
    workers = catalog.workers.request(missing, hour)
    log.info("asked for workers", workers=len(workers), queued=depth.queued)
    return [_request(worker, hour) for worker in workers]


def _release_lost(catalog: Catalog, instance: DagsterInstance, settings: Settings, work: RunsAtWork | None) -> None:
    """Put the images of lost workers back into the queue.

    A silent worker is lost if its run has no Job any more. If it has one, it may only be cut off from Postgres.
    """
    silent = catalog.workers.silent(SILENT_SECONDS) if work else set()
    ended = {run for run in silent if work and work.lacks(run)}
    for lost in catalog.queue.release_expired(settings.lease_seconds, ended):
        log.warning("lost", image=lost.id, run=lost.run_id, attempt=lost.attempt, state=lost.state)
    if ended:
        catalog.workers.end(ended)
    for run_id in ended:
        _end(catalog, instance, run_id, "Its Job ended before the worker did.")


def _missing(
    catalog: Catalog, settings: Settings, pace: Pace, depth: Depth, spooled: int
) -> tuple[int, datetime | None]:
    """Return how many workers are missing, and when the image was created that they should begin with.

    A worker that reprocesses an hour counts for the whole queue. It does not count for the images of other hours, nor
    as a standby worker. A standby worker that is about to leave stays until another one is there.
    """

    def wanted(queued: int) -> int:
        return wanted_workers(queued, pace.seconds() if queued else 0, settings)

    workers = catalog.workers.census()
    missing, oldest = wanted(depth.queued + spooled if depth.queued else 0) - workers.alive, depth.oldest
    of_queue = workers.alive - workers.of_one_hour
    if workers.of_one_hour:
        elsewhere = catalog.queue.depth_elsewhere(images_limit(settings))
        missing = max(missing, wanted(elsewhere.queued) - of_queue)
        oldest = elsewhere.oldest or oldest
    return max(missing, standby_workers(settings) - (of_queue - workers.leaving)), oldest


class RunsAtWork:
    """The runs that have an active Job. One look lists the Jobs at most once."""

    def __init__(self, jobs: Jobs) -> None:
        """Take the cluster's Jobs."""
        self._jobs = jobs

    def has(self, run_id: str) -> bool:
        """Whether the run is known to have an active Job."""
        return self._runs is not None and run_id in self._runs

    def lacks(self, run_id: str) -> bool:
        """Whether the run is known to have none."""
        return self._runs is not None and run_id not in self._runs

    @cached_property
    def _runs(self) -> frozenset[str] | None:
        try:
            return frozenset(job.run_id for job in self._jobs.at_work())
        except Exception as error:  # noqa: BLE001  # without an answer of the cluster, images are ingested all the same
            log.warning("cannot look at the Jobs", error=str(error))
            return None


def _look_after_waiting(
    catalog: Catalog, instance: DagsterInstance, settings: Settings, work: RunsAtWork | None
) -> None:
    """Note requested workers that will never start as gone, and go on expecting those that are on their way.

    A worker never starts if its run ended before it began, or if the daemon died before it created the run. It never
    starts either if its Job is gone, which Dagster notices only after two minutes. The more workers were requested, the
    longer Dagster takes to create their runs and Jobs.
    """
    if not (waiting := catalog.workers.waiting(START_GRACE_SECONDS)):
        return
    grace = (len(waiting) - 1) * GRACE_A_RUN_SECONDS
    overdue = set(catalog.workers.waiting(MAKING_GRACE_SECONDS + grace))
    late = set(catalog.workers.waiting(QUEUE_GRACE_SECONDS))
    records = _runs_of(instance, waiting)
    expected = []
    for worker in waiting:
        record = records.get(worker)
        if record is None:
            cause = "no run was made" if worker in overdue else None
        else:
            cause = _why_it_never_starts(catalog, record, settings, work, grace if worker in overdue else math.inf)
        if cause:
            _give_up(catalog, instance, worker, record, cause)
        elif record and worker in late and _is_on_its_way(record.dagster_run, work):
            expected.append(worker)
    if expected:
        catalog.workers.expect(expected)
        _end_vanished(catalog, instance)


def _runs_of(instance: DagsterInstance, workers: Sequence[UUID]) -> dict[UUID, RunRecord]:
    records = instance.get_run_records(RunsFilter(tags={WORKER_TAG: [str(worker) for worker in workers]}))
    return {UUID(record.dagster_run.tags[WORKER_TAG]): record for record in records}


def _why_it_never_starts(
    catalog: Catalog, record: RunRecord, settings: Settings, work: RunsAtWork | None, grace: float
) -> str | None:
    """Return why a run will start no worker, or None. Its Job has ``grace`` seconds more than START_GRACE_SECONDS.

    The time in which Postgres was away does not count, because no worker could report then.
    """
    run, seconds = record.dagster_run, time.time() - record.update_timestamp.timestamp()
    if run.is_finished:
        return "its run ended"
    if run.status not in BEGINNING:
        return None
    if seconds > settings.start_seconds and catalog.workers.had_contact(settings.start_seconds):
        return f"it did not start within {settings.start_seconds:g} s (IMAGOMORTIS_START_SECONDS)"
    if work and seconds > START_GRACE_SECONDS + grace and work.lacks(run.run_id):
        return "its Job ended before the worker began"
    return None


def _is_on_its_way(run: DagsterRun, work: RunsAtWork | None) -> bool:
    """Whether the run is in Dagster's queue or its pod has no node yet. Another run would only wait behind it."""
    return run.status is DagsterRunStatus.QUEUED or (work is not None and work.has(run.run_id))


def _give_up(catalog: Catalog, instance: DagsterInstance, worker: UUID, record: RunRecord | None, cause: str) -> None:
    run = record.dagster_run if record else None
    if run and not run.is_finished:
        instance.report_run_failed(run, f"The pusher asks for another worker: {cause}.")
    catalog.workers.bury([worker])
    log.warning("stillborn", worker=worker, run=run.run_id if run else None, error=cause)


def _end_vanished(catalog: Catalog, instance: DagsterInstance) -> None:
    """Note the runs of vanished workers as ended. They would take the place of new ones in Dagster's queue."""
    for _, run_id in catalog.workers.vanished():
        _end(catalog, instance, run_id, "The worker has not reported for 15 s.")


def _end(catalog: Catalog, instance: DagsterInstance, run_id: str, cause: str) -> None:
    """Note a run as failed, or as canceled if its worker had no images."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if catalog.workers.has_lost_images(run_id):
        instance.report_run_failed(run, f"{cause} Its images are queued again.")
    else:
        instance.report_run_canceled(run, f"{cause} It had no images.")
    log.warning("vanished", run=run_id, worker=run.tags.get(WORKER_TAG), error=cause)


def _request(worker: UUID, hour: datetime) -> RunRequest:
    tags = {WORKER_TAG: str(worker), **WORKER_PRIORITY}
    return RunRequest(run_key=str(worker), job_name=PROCESS_IMAGES, partition_key=partition_of(hour), tags=tags)


class Duty:
    """The duty of a pusher that holds the lock."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Take the connection that has the lock."""
        self._connection = connection

    def lasts(self) -> bool:
        """Whether this process still has the lock. Postgres sends nothing on the connection until it closes it."""
        return not has_news(self._connection.fileno())

    def is_awaited(self) -> bool:
        """Whether another pusher waits for the lock."""
        row = self._connection.execute(IS_AWAITED, [DUTY_LOCK]).fetchone()
        return bool(row and row[0])


@contextmanager
def _duty(conninfo: str, seconds: float) -> Iterator[Duty | None]:
    """Wait up to ``seconds`` for the duty; yield None if another pusher keeps it."""
    with psycopg.connect(conninfo, autocommit=True, application_name="imagomortis pusher") as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{int(seconds * 1000)}ms"])
        # if the machine of a pusher is gone, its lock is free after half a minute, not two hours
        connection.execute(
            "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
        )
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])
        except psycopg.errors.LockNotAvailable:
            yield None
        else:
            yield Duty(connection)
            with suppress(psycopg.OperationalError):  # or else the end of the session lets it go, a moment later
                connection.execute("SELECT pg_advisory_unlock(%s)", [DUTY_LOCK])


def _tick(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    catalog = resources.catalog()
    if is_trial(context):
        return SkipReason(TRIAL)
    settings = resources.settings()
    wait_seconds = settings.duty_seconds + WAIT_SECONDS if settings.duty_seconds else 0.001
    try:
        with ExitStack() as stack:
            duty = stack.enter_context(_duty(catalog.database.conninfo, wait_seconds))
            if duty is None:
                return SkipReason("The other pusher is on duty.")
            until = time.monotonic() + settings.duty_seconds
            jobs = cluster_jobs(settings.namespace) if settings.is_in_cluster else None
            spool = resources.spool()
            requests = push(spool, catalog, context.instance, settings, until, jobs=jobs, is_on_duty=duty.lasts)
            if not requests:
                return _nothing_asked("The queue needs no further worker.")
            if settings.duty_seconds:
                staying = [stack.pop_all(), duty, spool, catalog]
                threading.Thread(target=_stay, args=staying, name="stay on duty", daemon=True).start()
    except (Unavailable, psycopg.OperationalError) as error:
        log.warning("waiting", error=str(error))
        return _nothing_asked(f"The database is away, or the storage. The spool keeps new images. ({error})")
    return SensorResult(run_requests=requests, asset_events=resources.arrivals().take())


def _nothing_asked(reason: str) -> SensorResult | SkipReason:
    """Return the answer of a tick that asks for no worker. It may report new images."""
    if events := resources.arrivals().take():
        return SensorResult(skip_reason=reason, asset_events=events)
    return SkipReason(reason)


def _stay(stack: ExitStack, duty: Duty, spool: AnySpool, catalog: Catalog) -> None:
    """Go on ingesting after a tick has asked Dagster for workers, until the other sensor is there."""
    until, tell = time.monotonic() + STAY_SECONDS, resources.arrivals().add
    with (
        stack,
        suppress(Unavailable, psycopg.OperationalError, OSError),
    ):  # the next tick logs it
        while time.monotonic() < until and duty.lasts() and not duty.is_awaited():
            catalog.workers.keep_contact()
            if not ingest(spool, catalog, time.monotonic() + INGEST_SECONDS, tell):
                time.sleep(AWAITED_SECONDS)


def _pusher(name: str) -> SensorDefinition:
    @sensor(
        name=name,
        job_name=PROCESS_IMAGES,
        minimum_interval_seconds=1,
        default_status=DefaultSensorStatus.RUNNING,
        description="Moves images from the spool into Postgres and asks for workers. Two such sensors take turns.",
    )
    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        return _tick(context)

    return evaluate


pushers: Final = [_pusher("pusher_a"), _pusher("pusher_b")]
