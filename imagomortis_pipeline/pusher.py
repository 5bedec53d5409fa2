"""The pusher: two sensors in relay that ingest what the spool holds and ask for workers.

A sensor is woken every 5 s at best, which is too slow for somebody who watches; so a tick stays on duty for 20 s. One
of two sensors is on duty, by an advisory lock in Postgres, while the other waits for it: the hand-over leaves no gap.
Asking for workers is a reconciliation: what is wanted is computed from the queue at each look, so a message that was
lost, or a run that died, is made good by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
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
from dagster._daemon.daemon import SensorDaemon

from imagomortis.catalog import Catalog
from imagomortis.catalog.database import has_news
from imagomortis.catalog.queue import Depth
from imagomortis.demand import images_a_worker, wanted_workers
from imagomortis.errors import Unavailable
from imagomortis.ingest import ingest
from imagomortis.logs import Log
from imagomortis.settings import Executor, Settings
from imagomortis.spool import Spool
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import known_hour, partition_of
from imagomortis_pipeline.image_task import PROCESS_IMAGES
from imagomortis_pipeline.janitor import Jobs, cluster_jobs
from imagomortis_pipeline.run_queue import WORKER_PRIORITY, WORKER_TAG

log = Log(__name__)

DUTY_SECONDS: Final = 20.0
"""How long a tick stays on duty."""

WAIT_SECONDS: Final = 30.0
"""How long a tick waits to be on duty: longer than the other's duty, or both would end together and leave a gap."""

SCAN_SECONDS: Final = 0.01
"""The pause between two looks at an empty spool."""

LOOK_SECONDS: Final = 1.0
"""The time between two looks at the queue and the workers while nothing arrives."""

NOTE_SECONDS: Final = 10.0
"""How often the number of pictures in the spool is noted while it stays the same; a note holds for 30 s."""

START_GRACE_SECONDS: Final = 5.0
"""After so long the run of a worker that has not started is looked at: it may have ended."""

MAKING_GRACE_SECONDS: Final = 12.0
"""After so long a run that is not there will never be made: a daemon with much to do takes seconds to make it."""

QUEUE_GRACE_SECONDS: Final = 45.0
"""After so long a worker whose run stands in Dagster's queue is expected anew: before it counts as gone."""

LISTENER_SECONDS: Final = 2.0
"""The time between two looks at which daemon is there; a new one has said so by the first."""

BEGINNING: Final = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)

DUTY_LOCK: Final = 4_242_002
"""The advisory lock of the pusher on duty."""


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
    """Be on duty until the monotonic time ``until``, or until workers are wanted; return the requests for them.

    ``jobs`` are the Jobs of the runs where those are in a cluster. A tick whose daemon is gone asks for nobody, as
    nobody would hear it; nor does one that is no longer on duty, as its twin does.
    """
    next_look, note, listener = 0.0, SpoolNote(spool, catalog), Listener(instance)
    while (now := time.monotonic()) < until and listener.is_there() and is_on_duty():
        try:
            arrived, pause = ingest(spool, catalog), SCAN_SECONDS
            note.keep()
        except OSError as error:  # the spool's disk is away or read-only; what the catalog holds goes on all the same
            log.warning("waiting", error=str(error))
            arrived, pause = 0, LOOK_SECONDS
        if arrived or now >= next_look:
            if requests := ask_for_workers(catalog, instance, settings, jobs):
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
        beat = self._instance.get_daemon_heartbeats().get(SensorDaemon.daemon_type())
        before, self._id = self._id, beat.daemon_id if beat else None
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


def ask_for_workers(
    catalog: Catalog, instance: DagsterInstance, settings: Settings, jobs: Jobs | None = None
) -> list[RunRequest]:
    """Return a request for each worker that the queue wants and that is neither running nor asked for."""
    for lost in catalog.queue.release_expired(grace=settings.lease_seconds):
        log.warning("lost", image=lost.id, run=lost.run_id, attempt=lost.attempt, state=lost.state)
    limit = images_a_worker(settings.images_per_job) * settings.max_workers
    depth = catalog.queue.depth(limit)
    if not depth.queued:
        return []
    _look_after_waiting(catalog, instance, jobs)
    missing, oldest = _missing(catalog, settings, depth, limit)
    if missing <= 0 or oldest is None:
        return []
    _fail_vanished(catalog, instance)
    hour = known_hour(oldest)
    workers = catalog.workers.request(missing, hour)
    log.info("asked for workers", workers=len(workers), queued=depth.queued)
    return [_request(worker, hour) for worker in workers]


def _missing(catalog: Catalog, settings: Settings, depth: Depth, limit: int) -> tuple[int, datetime | None]:
    """Return how many workers are missing, and the creation of the image that they should begin with.

    A worker that reprocesses an hour helps with the queue's depth, but what waits in other hours does not wait for it.
    """

    def wanted(depth: Depth) -> int:
        return wanted_workers(depth.queued, settings.images_per_job, settings.max_workers)

    workers = catalog.workers.census()
    missing, oldest = wanted(depth) - workers.alive, depth.oldest
    if workers.of_one_hour:
        elsewhere = catalog.queue.depth_elsewhere(limit)
        missing = max(missing, wanted(elsewhere) - (workers.alive - workers.of_one_hour))
        oldest = elsewhere.oldest or oldest
    return missing, oldest


def _look_after_waiting(catalog: Catalog, instance: DagsterInstance, jobs: Jobs | None) -> None:
    """Note as gone the requested workers that will never start, and go on expecting those that stand in the queue.

    The run of the former ended before it began, or there is none: the daemon died between the request and the run.
    Another run would only stand behind those that are queued. One that starts is gone with its Job, of which Dagster
    takes two minutes to notice; in any case it is not expected for longer than a minute.
    """
    if not (waiting := catalog.workers.waiting(START_GRACE_SECONDS)):
        return
    overdue = set(catalog.workers.waiting(MAKING_GRACE_SECONDS))
    late = set(catalog.workers.waiting(QUEUE_GRACE_SECONDS))
    for worker in waiting:
        records = instance.get_run_records(RunsFilter(tags={WORKER_TAG: str(worker)}), limit=1)
        run = records[0].dagster_run if records else None
        if run.is_finished if run else worker in overdue:
            catalog.workers.bury([worker])
            log.warning("stillborn", worker=worker, run=run.run_id if run else None)
        elif run and worker in overdue and _has_begun(records[0]) and not _is_at_work(run, jobs):
            instance.report_run_failed(run, "Its Job ended before the worker began; another one is asked for.")
            catalog.workers.bury([worker])
            log.warning("stillborn", worker=worker, run=run.run_id)
        elif run and run.status is DagsterRunStatus.QUEUED and worker in late:
            catalog.workers.expect([worker])
            _fail_vanished(catalog, instance)


def _has_begun(record: RunRecord) -> bool:
    """Whether the run left Dagster's queue, and long enough ago for its Job to be made."""
    seconds = time.time() - record.update_timestamp.timestamp()
    return record.dagster_run.status in BEGINNING and seconds > START_GRACE_SECONDS


def _is_at_work(run: DagsterRun, jobs: Jobs | None) -> bool:
    """Whether a Job of the run is at work, or may be: the cluster does not answer, or there is none."""
    if jobs is None:
        return True
    try:
        return any(job.run_id == run.run_id for job in jobs.at_work())
    except Exception as error:  # noqa: BLE001  # whatever keeps the cluster from answering, pictures are taken in
        log.warning("cannot look at the Jobs", error=str(error))
        return True


def _fail_vanished(catalog: Catalog, instance: DagsterInstance) -> None:
    """Note as failed the runs of workers that are not seen any more: they would take the place of new ones."""
    for worker, run_id in catalog.workers.vanished():
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_failed(
                run, "The worker was not seen for 15 s; its pictures go through the queue again."
            )
            log.warning("vanished", worker=worker, run=run_id)


def _request(worker: UUID, hour: datetime) -> RunRequest:
    tags = {WORKER_TAG: str(worker), **WORKER_PRIORITY}
    return RunRequest(run_key=str(worker), job_name=PROCESS_IMAGES, partition_key=partition_of(hour), tags=tags)


@contextmanager
def _duty(conninfo: str, seconds: float) -> Iterator[Callable[[], bool] | None]:
    """Wait up to ``seconds`` to be the pusher on duty; None if it is not, else what tells whether it still is."""
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
            # Postgres is silent until it hangs up, and then the lock is gone
            yield lambda: not has_news(connection.fileno())


def _tick(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    catalog = resources.catalog()
    try:
        with _duty(catalog.database.conninfo, WAIT_SECONDS) as is_on_duty:
            if is_on_duty is None:
                return SkipReason("The other pusher is on duty.")
            until = time.monotonic() + DUTY_SECONDS
            settings = resources.settings()
            jobs = cluster_jobs(settings.namespace) if settings.executor is Executor.KUBERNETES else None
            requests = push(
                resources.spool(), catalog, context.instance, settings, until, jobs=jobs, is_on_duty=is_on_duty
            )
    except (Unavailable, psycopg.OperationalError) as error:
        log.warning("waiting", error=str(error))
        return SkipReason(f"The database is away; the spool keeps what arrives. ({error})")
    return SensorResult(run_requests=requests) if requests else SkipReason("Nothing that needs another worker.")


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
