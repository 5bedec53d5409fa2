"""The pusher: two sensors in relay that ingest what the spool holds and ask for workers.

A sensor is woken every 5 s at best, which is too slow for somebody who watches; so a tick stays on duty for 20 s
(IMAGOMORTIS_DUTY_SECONDS). One of two sensors is on duty, by an advisory lock in Postgres, while the other waits for
it: the hand-over leaves no gap.
Asking for workers is a reconciliation: what is wanted is computed from the queue at each look, so a message that was
lost, or a run that died, is made good by the next one.
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
from imagomortis.catalog.database import has_news
from imagomortis.catalog.queue import Depth
from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis.work.ingest import ingest
from imagomortis.work.worker_count import LEAST_SECONDS, images_limit, standby_workers, wanted_workers
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import known_hour, partition_of
from imagomortis_pipeline.dagster_internals.instigators import sensor_daemon
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_PRIORITY, WORKER_TAG
from imagomortis_pipeline.dagster_internals.trials import is_trial
from imagomortis_pipeline.image_task import PROCESS_IMAGES
from imagomortis_pipeline.upkeep.janitor import Jobs, cluster_jobs

log = Log(__name__)

WAIT_SECONDS: Final = 10.0
"""How much longer than its twin's duty a tick waits for its own, or both would end together and leave a gap."""

SCAN_SECONDS: Final = 0.01
"""The pause between two looks at an empty spool."""

INGEST_SECONDS: Final = 1.0
"""How long pictures are taken in between two looks at the queue, while the spool is full."""

STAY_SECONDS: Final = 25.0
"""How long a tick that asked for workers stays on duty for its twin, which is woken within 5 s."""

LOOK_SECONDS: Final = 1.0
"""The time between two looks at the queue and the workers while nothing arrives."""

PACE_SECONDS: Final = 3.0
"""The time between two looks at how long pictures take."""

NOTE_SECONDS: Final = 10.0
"""How often the number of pictures in the spool is noted while it stays the same; a note holds for 30 s."""

SILENT_SECONDS: Final = 7.0
"""A worker that says nothing for so long, when it should have each 5 s, is looked for among the Jobs."""

START_GRACE_SECONDS: Final = 5.0
"""After so long the run of a worker that has not started is looked at: it may have ended."""

MAKING_GRACE_SECONDS: Final = 12.0
"""After so long a run that is not there will never be made: a daemon with much to do takes seconds to make it."""

GRACE_A_RUN_SECONDS: Final = 1.0
"""So much longer for each further worker that waits."""

QUEUE_GRACE_SECONDS: Final = 45.0
"""After so long a worker that is on its way is expected anew: before it counts as gone."""

LISTENER_SECONDS: Final = 2.0
"""The time between two looks at which daemon is there; a new one has said so by the first."""

BEGINNING: Final = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)

TRIAL: Final = "A test takes nothing in and asks for nobody: the daemon's ticks do, each second."

DUTY_LOCK: Final = 4_242_002
"""The advisory lock of the pusher on duty."""

IS_AWAITED: Final = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE datname = current_database() AND locktype = 'advisory' AND objid = %s AND NOT granted)"
)

AWAITED_SECONDS: Final = 0.1
"""The time between two looks whether the twin waits, while the spool is empty."""


def push(
    spool: Spool,
    catalog: Catalog,
    instance: DagsterInstance,
    settings: Settings,
    until: float,
    *,
    jobs: Jobs | None = None,
    is_on_duty: Callable[[], bool] = lambda: True,
) -> list[RunRequest]:
    """Look at least once, until the monotonic time ``until`` or until workers are wanted; return the requests for them.

    ``jobs`` are the Jobs of the runs where those are in a cluster. A tick whose daemon is gone asks for nobody, as
    nobody would hear it; nor does one that is no longer on duty, as its twin does.
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
        except OSError as error:  # the spool's disk is away or read-only; what the catalog holds goes on all the same
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
    """The daemon that waits for the answer of a tick; the tick goes on when it dies."""

    def __init__(self, instance: DagsterInstance) -> None:
        """Take the instance, in which each daemon says every half minute that it lives."""
        self._instance = instance
        self._next_look = time.monotonic() + LISTENER_SECONDS
        self._id: str | None = None

    def is_there(self) -> bool:
        """Whether no other daemon has taken its place, as far as one has looked."""
        now = time.monotonic()
        if now < self._next_look:
            return True
        self._next_look = now + LISTENER_SECONDS
        before, self._id = self._id, sensor_daemon(self._instance)
        return before in {None, self._id}


class SpoolNote:
    """The note in the catalog of how many pictures the spool holds, for the API, which does not see it in a cluster."""

    def __init__(self, spool: Spool, catalog: Catalog) -> None:
        """Take the spool to look at, and the catalog."""
        self._spool = spool
        self._catalog = catalog
        self._pictures: int | None = None
        self._noted_at = self._looked_at = float("-inf")

    def keep(self) -> None:
        """Look once a second, and write what is new, or what would grow too old."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        pictures = self._spool.count()
        if pictures != self._pictures or now - self._noted_at >= NOTE_SECONDS:
            self._catalog.figures.note_spooled(pictures)
            self._pictures, self._noted_at = pictures, now


class Pace:
    """How long queued pictures will take, looked at every few seconds."""

    def __init__(self, catalog: Catalog) -> None:
        """Take the catalog."""
        self._catalog = catalog
        self._seconds, self._next_look = LEAST_SECONDS, float("-inf")

    def seconds(self) -> float:
        """Return the seconds that one of them will take."""
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
    """Return a request for each worker that the queue wants and that is neither running nor asked for.

    The queue is about to grow by the ``spooled`` pictures; ``pace`` tells how long a picture takes.
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
    """Let the images of workers that are gone go through the queue again.

    A silent worker is gone when its run has no Job any more. One that has may only be kept from Postgres.
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
    """Return how many workers are missing, and the creation of the image that they should begin with.

    A worker that reprocesses an hour helps with the queue's depth, but what waits in other hours does not wait for it,
    nor does it stand by.
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
    return max(missing, standby_workers(settings) - of_queue), oldest


class RunsAtWork:
    """The runs that have a Job at work, by one list for a whole look."""

    def __init__(self, jobs: Jobs) -> None:
        """Take the cluster's Jobs."""
        self._jobs = jobs

    def has(self, run_id: str) -> bool:
        """Whether the run is known to have a Job at work."""
        return self._runs is not None and run_id in self._runs

    def lacks(self, run_id: str) -> bool:
        """Whether the run is known to have none."""
        return self._runs is not None and run_id not in self._runs

    @cached_property
    def _runs(self) -> frozenset[str] | None:
        try:
            return frozenset(job.run_id for job in self._jobs.at_work())
        except Exception as error:  # noqa: BLE001  # whatever keeps the cluster from answering, pictures are taken in
            log.warning("cannot look at the Jobs", error=str(error))
            return None


def _look_after_waiting(
    catalog: Catalog, instance: DagsterInstance, settings: Settings, work: RunsAtWork | None
) -> None:
    """Note as gone the requested workers that will never start, and go on expecting those that are on their way.

    The run of the former ended before it began, or there is none: the daemon died between the request and the run.
    One that starts is gone with its Job, of which Dagster takes two minutes to notice. The more there are, the longer
    Dagster takes to make their runs and Jobs.
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
            cause = _why_it_never_starts(record, settings, work, grace if worker in overdue else math.inf)
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


def _why_it_never_starts(record: RunRecord, settings: Settings, work: RunsAtWork | None, grace: float) -> str | None:
    """Return why no worker will come of a run, or None; it had ``grace`` seconds more than START_GRACE for its Job."""
    run, seconds = record.dagster_run, time.time() - record.update_timestamp.timestamp()
    if run.is_finished:
        return "its run ended"
    if run.status not in BEGINNING:
        return None
    if seconds > settings.start_seconds:
        return f"it did not start within {settings.start_seconds:g} s (IMAGOMORTIS_START_SECONDS)"
    if work and seconds > START_GRACE_SECONDS + grace and work.lacks(run.run_id):
        return "its Job ended before the worker began"
    return None


def _is_on_its_way(run: DagsterRun, work: RunsAtWork | None) -> bool:
    """Whether another run would only stand behind this one: in Dagster's queue, or as a pod that has no node yet."""
    return run.status is DagsterRunStatus.QUEUED or (work is not None and work.has(run.run_id))


def _give_up(catalog: Catalog, instance: DagsterInstance, worker: UUID, record: RunRecord | None, cause: str) -> None:
    run = record.dagster_run if record else None
    if run and not run.is_finished:
        instance.report_run_failed(run, f"Another worker is asked for: {cause}.")
    catalog.workers.bury([worker])
    log.warning("stillborn", worker=worker, run=run.run_id if run else None, error=cause)


def _end_vanished(catalog: Catalog, instance: DagsterInstance) -> None:
    """Note as ended the runs of workers that are not seen any more: they would take the place of new ones."""
    for _, run_id in catalog.workers.vanished():
        _end(catalog, instance, run_id, "The worker was not seen for 15 s.")


def _end(catalog: Catalog, instance: DagsterInstance, run_id: str, cause: str) -> None:
    """Note a run as failed, or as canceled if its worker had no picture."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if catalog.workers.has_lost_images(run_id):
        instance.report_run_failed(run, f"{cause} Its pictures go through the queue again.")
    else:
        instance.report_run_canceled(run, f"{cause} It had no picture.")
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
        """Whether the lock is still held: Postgres is silent until it hangs up."""
        return not has_news(self._connection.fileno())

    def is_awaited(self) -> bool:
        """Whether another pusher waits for the lock."""
        row = self._connection.execute(IS_AWAITED, [DUTY_LOCK]).fetchone()
        return bool(row and row[0])


@contextmanager
def _duty(conninfo: str, seconds: float) -> Iterator[Duty | None]:
    """Wait up to ``seconds`` to be the pusher on duty; None if it is not."""
    with psycopg.connect(conninfo, autocommit=True, application_name="imagomortis pusher") as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{int(seconds * 1000)}ms"])
        # the lock of a pusher that is gone with its machine is free after half a minute, not two hours
        connection.execute(
            "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
        )
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])
        except psycopg.errors.LockNotAvailable:
            yield None
        else:
            yield Duty(connection)


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
                return _nothing_asked("Nothing that needs another worker.")
            if settings.duty_seconds:
                staying = [stack.pop_all(), duty, spool, catalog]
                threading.Thread(target=_stay, args=staying, name="stay on duty", daemon=True).start()
    except (Unavailable, psycopg.OperationalError) as error:
        log.warning("waiting", error=str(error))
        return _nothing_asked(f"The database is away; the spool keeps what arrives. ({error})")
    return SensorResult(run_requests=requests, asset_events=resources.arrivals().take())


def _nothing_asked(reason: str) -> SensorResult | SkipReason:
    """Return the answer of a tick that wants no worker; it may have pictures to tell of."""
    if events := resources.arrivals().take():
        return SensorResult(skip_reason=reason, asset_events=events)
    return SkipReason(reason)


def _stay(stack: ExitStack, duty: Duty, spool: Spool, catalog: Catalog) -> None:
    """Go on taking pictures in after a tick has told Dagster whom it wants, until its twin is there."""
    until, tell = time.monotonic() + STAY_SECONDS, resources.arrivals().add
    with stack, suppress(Unavailable, psycopg.OperationalError, OSError):  # the next tick sees the same, and says so
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
        description="Takes pictures from the spool into Postgres, and asks for workers. Works in relay with its twin.",
    )
    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        return _tick(context)

    return evaluate


pushers: Final = [_pusher("pusher_a"), _pusher("pusher_b")]
