"""The pusher: takes in what the spool holds, and asks for as many workers as the queue wants."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from dagster import (
    AssetMaterialization,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.daemon import SensorDaemon
from dagster._daemon.types import DaemonHeartbeat

from imagomortis import version
from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Result
from imagomortis.errors import Unavailable
from imagomortis.lifecycle import Outcome
from imagomortis.settings import Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.object_spool import ObjectSpool
from imagomortis.spool.spool import Spool
from imagomortis.storage.object_store import ObjectStore
from imagomortis.work.worker_count import LEAST_SECONDS, wanted_workers
from imagomortis_pipeline import pusher
from imagomortis_pipeline.assets import HOURS, ORIGINALS, partition_of
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from imagomortis_pipeline.pusher import DUTY_LOCK, SpoolNote, ask_for_workers, push, pushers
from imagomortis_pipeline.upkeep.janitor import Job
from tests.imagomortis_pipeline.upkeep.test_janitor import JobsHere
from tests.support.uploads import NOON, arrivals, upload
from tests.support.waiting import wait_until

ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "definitions"), PROCESS_IMAGES)
"""Where Dagster has the job from, without which no run is queued."""

PROVEN = "UPDATE contact SET since = '-infinity', proven_at = now() + interval '1 hour'"
"""Lets the contact last, however slowly a test goes on."""


def listens(instance: DagsterInstance, daemon: str) -> None:
    """Let a daemon say that it lives."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), SensorDaemon.daemon_type(), daemon, errors=[]))


def store(spool: AnySpool, data: bytes = b"x") -> UUID:
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        spool.store(draft, upload(data, id=draft.id))
    return draft.id


def fill(spool: Spool, number: int, file: Path, megabytes: int) -> None:
    """Store so many large pictures that share the bytes of one ``file``."""
    file.write_bytes(bytes(megabytes * 2**20))
    picture = upload(file.read_bytes())
    for _ in range(number):
        with spool.draft() as draft:
            draft.original.hardlink_to(file)
            spool.store(draft, picture.model_copy(update={"id": draft.id}))


def workers_asked_for(catalog: Catalog, instance: DagsterInstance, **settings: object) -> int:
    return len(ask_for_workers(catalog, instance, Settings.read(**settings)))


def make_run(instance: DagsterInstance, request: RunRequest, status: DagsterRunStatus) -> DagsterRun:
    """Make the run that was asked for, as far as it came."""
    return create_run_for_test(
        instance, job_name=PROCESS_IMAGES, status=status, tags=dict(request.tags), remote_job_origin=ORIGIN
    )


def let_duty_last(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set how long a tick stays on duty."""
    monkeypatch.setenv("IMAGOMORTIS_DUTY_SECONDS", str(seconds))
    pusher.resources.settings.cache_clear()


def look_once(spool: Spool, catalog: Catalog, instance: DagsterInstance) -> None:
    """Be on duty for a single look at the spool and the queue."""
    is_on_duty = iter([True, False]).__next__
    push(spool, catalog, instance, Settings.read(), time.monotonic() + 100, is_on_duty=is_on_duty)


class TestPushing:
    def test_a_picture_is_taken_in_and_a_worker_asked_for_at_once(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        image_id = store(spool)
        began = time.monotonic()
        [request] = push(spool, catalog, instance, Settings.read(), began + 100)
        assert time.monotonic() - began < 20
        assert catalog.images.one(image_id)
        assert request.partition_key == partition_of(NOON)
        assert request.tags[WORKER_TAG] == request.run_key

    def test_a_picture_that_comes_later_is_taken_in_within_the_same_tick(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        threading.Timer(0.3, store, [spool]).start()
        assert push(spool, catalog, instance, Settings.read(), time.monotonic() + 100)

    def test_a_spool_that_cannot_be_written_holds_up_no_picture(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        image_id = store(spool)
        spool.incoming.rmdir()
        spool.incoming.symlink_to(spool.incoming)  # nothing can be moved there, as on a disk that turned read-only
        [_] = push(spool, catalog, instance, Settings.read(), time.monotonic() + 100)
        assert catalog.images.one(image_id)
        assert [found.name for found in spool.scan(10)] == [str(image_id)]
        spool.incoming.unlink()
        spool.incoming.mkdir()
        look_once(spool, catalog, instance)
        assert spool.scan(10) == []
        assert catalog.queue.depth().queued == 1

    def test_a_spool_that_is_away_is_waited_for(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        image_id = store(spool)
        aside = spool.ready.rename(spool.folder / "elsewhere")
        threading.Timer(0.5, aside.rename, [spool.ready]).start()
        assert push(spool, catalog, instance, Settings.read(), time.monotonic() + 100)
        assert catalog.images.one(image_id)

    def test_a_spool_that_can_be_listed_and_not_read_holds_up_no_queued_image(
        self, catalog: Catalog, instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> bytes:
            raise Unavailable("The storage refuses this (AccessDenied).", retry_after=5)

        spool = ObjectSpool(ObjectStore.of(f"file://{tmp_path}/objects"), tmp_path / "drafts")
        spool.prepare()
        store(spool)
        catalog.queue.add(arrivals(1))
        monkeypatch.setattr(ObjectStore, "read", refuse)
        assert push(spool, catalog, instance, Settings.read(), time.monotonic() + 100)

    def test_it_notes_how_many_pictures_wait_in_the_spool(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pusher, "ingest", lambda *_: 0)
        store(spool), store(spool)
        look_once(spool, catalog, instance)
        assert catalog.figures.spooled(300) == 2

    def test_an_idle_spool_is_noted_each_ten_seconds(
        self, spool: Spool, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        noted: list[int] = []
        monkeypatch.setattr(catalog.figures, "note_spooled", noted.append)
        note, moment = SpoolNote(spool, catalog), time.monotonic()
        with monkeypatch.context() as patch:
            for second in range(25):
                patch.setattr(pusher.time, "monotonic", lambda second=second: moment + second)
                note.keep()
            assert noted == [0, 0, 0]
            store(spool)
            note.keep()
            assert noted == [0, 0, 0], "it looks no oftener than each second"
            patch.setattr(pusher.time, "monotonic", lambda: moment + 25)
            note.keep()
        assert noted == [0, 0, 0, 1]

    def test_workers_are_asked_for_while_the_spool_is_still_full(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pusher, "INGEST_SECONDS", 0)
        monkeypatch.setattr("imagomortis.storage.batches.MOST_BYTES", 1)
        for number in range(5):
            store(spool, bytes([number]))
        settings = Settings.read(max_workers=9, images_per_job=1)
        requests = push(spool, catalog, instance, settings, time.monotonic() + 100)
        assert len(requests) == 5, "for what is in the spool too"
        assert (spool.count(), catalog.queue.depth().queued) == (4, 1)

    def test_it_tells_workers_its_release(self, spool: Spool, catalog: Catalog, instance: DagsterInstance) -> None:
        catalog.workers.start(worker := uuid4(), NOON, "run")
        push(spool, catalog, instance, Settings.read(), time.monotonic() + 0.2)
        assert catalog.workers.seen(worker, 0) == version()

    def test_nothing_to_do_ends_with_the_duty(self, spool: Spool, catalog: Catalog, instance: DagsterInstance) -> None:
        assert push(spool, catalog, instance, Settings.read(), time.monotonic() + 0.2) == []


class TestAskingForWorkers:
    @pytest.mark.parametrize(
        ("queued", "settings", "wanted"),
        [
            (0, {}, 0),
            (1, {"max_workers": 10}, 1),
            (300, {"max_workers": 10}, 1),
            (301, {"max_workers": 10}, 2),
            (1000, {"max_workers": 3}, 3),
            (5, {"max_workers": 10, "images_per_job": 1}, 5),
            (5, {"max_workers": 2, "images_per_job": 1}, 2),
        ],
    )
    def test_as_many_as_the_queue_wants(
        self, catalog: Catalog, instance: DagsterInstance, queued: int, settings: dict[str, object], wanted: int
    ) -> None:
        if queued:
            catalog.queue.add(arrivals(queued))
        assert workers_asked_for(catalog, instance, **settings) == wanted
        assert workers_asked_for(catalog, instance, **settings) == 0

    def test_as_many_as_do_the_queue_in_time_by_what_such_pictures_took(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        catalog.queue.add(arrivals(251))
        measured = catalog.queue.lease("run", 1, 60)
        assert measured
        settings = Settings.read(max_workers=50)
        assert len(ask_for_workers(catalog, instance, settings)) == 1, "nothing is known of such pictures"
        catalog.queue.save(measured.token, [Result(measured.images[0], [], 3.0)])
        assert len(ask_for_workers(catalog, instance, settings)) == 12

    @pytest.mark.parametrize(("least", "most", "wanted"), [(0, 2, 0), (1, 2, 1), (3, 2, 2)])
    def test_some_stand_by_although_nothing_waits(
        self, catalog: Catalog, instance: DagsterInstance, least: int, most: int, wanted: int
    ) -> None:
        catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
        settings = Settings.read(min_workers=least, max_workers=most)
        requests = ask_for_workers(catalog, instance, settings)
        assert len(requests) == wanted
        assert {request.partition_key for request in requests} <= set(HOURS.get_partition_keys()[-2:])
        assert ask_for_workers(catalog, instance, settings) == []
        catalog.workers.end_all()
        assert len(ask_for_workers(catalog, instance, settings)) == wanted, "also in place of those that are gone"

    def test_another_one_for_a_standby_worker_that_is_about_to_leave(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        worker = uuid4()
        catalog.workers.start(worker, NOON, "run")
        assert workers_asked_for(catalog, instance, min_workers=1, max_workers=1) == 0
        catalog.workers.retire(worker, 1)
        assert workers_asked_for(catalog, instance, min_workers=1, max_workers=1) == 1
        assert workers_asked_for(catalog, instance, min_workers=1, max_workers=1) == 0

    def test_those_who_stand_by_count_for_what_waits(self, catalog: Catalog, instance: DagsterInstance) -> None:
        assert workers_asked_for(catalog, instance, min_workers=1) == 1
        catalog.queue.add(arrivals(1))
        assert workers_asked_for(catalog, instance, min_workers=1) == 0

    def test_none_while_processing_is_paused(self, catalog: Catalog, instance: DagsterInstance) -> None:
        catalog.queue.add(arrivals(1))
        catalog.control.pause()
        assert workers_asked_for(catalog, instance) == 0

    @pytest.mark.parametrize(
        ("leased", "status"), [(0, DagsterRunStatus.CANCELED), (1, DagsterRunStatus.FAILURE)], ids=["idle", "busy"]
    )
    def test_another_one_for_a_worker_that_disappeared(
        self, catalog: Catalog, instance: DagsterInstance, leased: int, status: DagsterRunStatus
    ) -> None:
        catalog.queue.add(arrivals(1 + leased))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        run = create_run_for_test(
            instance, job_name=PROCESS_IMAGES, status=DagsterRunStatus.STARTED, tags=dict(request.tags)
        )
        catalog.workers.start(UUID(request.run_key), NOON, run.run_id)
        if leased:
            catalog.queue.lease(run.run_id, leased, 15)
        with catalog.database.connection() as connection:
            connection.execute("UPDATE workers SET seen_at = seen_at - interval '16 seconds'")
        assert workers_asked_for(catalog, instance) == 1
        dead = instance.get_run_by_id(run.run_id)
        assert dead is not None
        assert dead.status is status, "it would take the place of the new one"

    @pytest.mark.parametrize(
        ("status", "seconds", "wanted"),
        [
            (None, 6, 0),
            (None, 13, 1),
            (DagsterRunStatus.FAILURE, 6, 1),
            (DagsterRunStatus.CANCELED, 6, 1),
            (DagsterRunStatus.STARTING, 13, 0),
        ],
    )
    def test_another_one_for_a_worker_that_will_never_start(
        self, catalog: Catalog, instance: DagsterInstance, status: DagsterRunStatus | None, seconds: int, wanted: int
    ) -> None:
        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        if status:
            create_run_for_test(instance, job_name=PROCESS_IMAGES, status=status, tags=dict(request.tags))
        assert workers_asked_for(catalog, instance) == 0
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - %s * interval '1 second'", [seconds])
        assert workers_asked_for(catalog, instance) == wanted

    @pytest.mark.parametrize(
        ("is_at_work", "seconds", "begun", "wanted"),
        [(False, 13, 6, 1), (False, 6, 6, 0), (True, 13, 6, 0), (False, 13, 1, 0)],
    )
    def test_another_one_for_a_worker_whose_job_ended_before_it_began(
        self,
        catalog: Catalog,
        instance: DagsterInstance,
        monkeypatch: pytest.MonkeyPatch,
        *,
        is_at_work: bool,
        seconds: int,
        begun: int,
        wanted: int,
    ) -> None:
        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        run = make_run(instance, request, DagsterRunStatus.STARTING)
        jobs = JobsHere(Job("other", str(uuid4()), 20), *([Job("its", run.run_id, 10)] if is_at_work else []))
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - make_interval(secs => %s)", [seconds])
        later = time.time() + begun
        monkeypatch.setattr(time, "time", lambda: later)
        assert len(ask_for_workers(catalog, instance, Settings.read(), jobs)) == wanted
        found = instance.get_run_by_id(run.run_id)
        assert found
        assert found.is_finished == bool(wanted)

    def test_a_worker_whose_job_is_gone_is_replaced_before_its_time_is_over(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        catalog.queue.add(arrivals(2))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        run = make_run(instance, request, DagsterRunStatus.STARTED)
        catalog.workers.start(UUID(request.run_key), NOON, run.run_id)
        lease = catalog.queue.lease(run.run_id, 1, 15)
        assert lease
        with catalog.database.connection() as connection:  # the pusher has just come back, and judges nobody by itself
            connection.execute("UPDATE workers SET seen_at = now() - interval '8 seconds'")
            connection.execute("UPDATE contact SET since = now(), proven_at = now()")
        at_work = JobsHere(Job("its", run.run_id, 60))
        assert ask_for_workers(catalog, instance, Settings.read(), at_work) == []
        [_] = ask_for_workers(catalog, instance, Settings.read(), JobsHere())
        assert [each.outcome for each in catalog.images.attempts(lease.images[0].id)] == [Outcome.LOST]
        found = instance.get_run_by_id(run.run_id)
        assert found
        assert found.status is DagsterRunStatus.FAILURE

    def test_one_list_of_jobs_serves_a_whole_look(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Counted(JobsHere):
            lists = 0

            def at_work(self) -> list[Job]:
                self.lists += 1
                return super().at_work()

        catalog.queue.add(arrivals(5))
        settings = Settings.read(max_workers=5, images_per_job=1)
        for request in ask_for_workers(catalog, instance, settings):
            make_run(instance, request, DagsterRunStatus.STARTING)
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - interval '50 seconds'")
        later = time.time() + 50
        monkeypatch.setattr(time, "time", lambda: later)
        jobs = Counted()
        assert len(ask_for_workers(catalog, instance, settings, jobs)) == 5
        assert jobs.lists == 1

    def test_many_runs_have_more_time_to_be_made(self, catalog: Catalog, instance: DagsterInstance) -> None:
        catalog.queue.add(arrivals(9))
        settings = Settings.read(max_workers=9, images_per_job=1)
        ask_for_workers(catalog, instance, settings)
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - interval '13 seconds'")
        assert ask_for_workers(catalog, instance, settings) == []
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - interval '32 seconds'")
        assert len(ask_for_workers(catalog, instance, settings)) == 9

    @pytest.mark.parametrize("status", [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
    def test_a_pod_that_waits_for_a_node_is_waited_for_and_ended_in_the_end(
        self,
        catalog: Catalog,
        instance: DagsterInstance,
        monkeypatch: pytest.MonkeyPatch,
        status: DagsterRunStatus,
    ) -> None:
        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        run = make_run(instance, request, status)
        jobs, began = JobsHere(Job("its", run.run_id, 60)), time.time()
        asked_for = []
        for seconds in (50, 100, 200):
            with catalog.database.connection() as connection:
                connection.execute(PROVEN)
                connection.execute("UPDATE workers SET requested_at = requested_at - interval '50 seconds'")
            monkeypatch.setattr(time, "time", lambda seconds=seconds: began + seconds)
            asked_for.append(len(ask_for_workers(catalog, instance, Settings.read(start_seconds=150), jobs)))
        assert asked_for == [0, 0, 1]
        found = instance.get_run_by_id(run.run_id)
        assert found
        assert found.status is DagsterRunStatus.FAILURE

    def test_a_run_that_could_not_start_while_postgres_was_away_has_its_time_again(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        run = make_run(instance, request, DagsterRunStatus.STARTING)
        jobs, later = JobsHere(Job("its", run.run_id, 200)), time.time() + 200
        monkeypatch.setattr(time, "time", lambda: later)
        finished = []
        for contact in ("now() - interval '50 seconds'", "'-infinity'"):
            with catalog.database.connection() as connection:
                connection.execute(PROVEN)
                connection.execute(f"UPDATE contact SET since = {contact}".encode())
                connection.execute("UPDATE workers SET requested_at = requested_at - interval '50 seconds'")
            ask_for_workers(catalog, instance, Settings.read(start_seconds=150), jobs)
            found = instance.get_run_by_id(run.run_id)
            assert found
            finished.append(found.is_finished)
        assert finished == [False, True]

    def test_a_cluster_that_does_not_answer_keeps_no_worker_from_starting(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        class Away(JobsHere):
            def at_work(self) -> list[Job]:
                raise ConnectionError("no route to the cluster")

        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        make_run(instance, request, DagsterRunStatus.STARTING)
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute("UPDATE workers SET requested_at = requested_at - interval '13 seconds'")
        assert ask_for_workers(catalog, instance, Settings.read(), Away()) == []

    @pytest.mark.parametrize(("status", "wanted"), [(DagsterRunStatus.QUEUED, 0), (DagsterRunStatus.STARTING, 1)])
    def test_no_other_one_for_a_worker_whose_run_stands_in_the_queue(
        self, catalog: Catalog, instance: DagsterInstance, status: DagsterRunStatus, wanted: int
    ) -> None:
        catalog.queue.add(arrivals(1))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        make_run(instance, request, status)
        asked_for = []
        for seconds in (50, 50):
            with catalog.database.connection() as connection:
                connection.execute(PROVEN)
                connection.execute(
                    "UPDATE workers SET requested_at = requested_at - make_interval(secs => %s)", [seconds]
                )
            asked_for.append(workers_asked_for(catalog, instance))
        assert asked_for == [0, wanted]

    def test_one_that_stands_in_the_queue_gets_the_place_of_one_that_disappeared(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        catalog.queue.add(arrivals(301))
        gone, queued = ask_for_workers(catalog, instance, Settings.read())
        runs = [make_run(instance, gone, DagsterRunStatus.STARTED), make_run(instance, queued, DagsterRunStatus.QUEUED)]
        catalog.workers.start(UUID(gone.run_key), NOON, runs[0].run_id)
        with catalog.database.connection() as connection:
            connection.execute(PROVEN)
            connection.execute(
                "UPDATE workers SET requested_at = requested_at - interval '50 seconds', "
                "seen_at = seen_at - interval '50 seconds'"
            )
        ask_for_workers(catalog, instance, Settings.read(max_workers=1))
        found = [instance.get_run_by_id(run.run_id) for run in runs]
        assert [run.status for run in found if run] == [DagsterRunStatus.CANCELED, DagsterRunStatus.QUEUED]

    def test_one_for_new_pictures_while_backfills_are_at_work(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        old = [NOON - timedelta(days=days) for days in range(1, 5)]
        for hour in old:
            catalog.queue.add(arrivals(2, hour))
            catalog.workers.start(uuid4(), hour, "backfill", only_hour=True)
        assert workers_asked_for(catalog, instance) == 0, "the backfills do these"
        catalog.queue.add(arrivals(1, NOON))
        [request] = ask_for_workers(catalog, instance, Settings.read())
        assert request.partition_key == partition_of(NOON)
        assert request.tags["dagster/priority"] == "1"
        assert workers_asked_for(catalog, instance) == 0

    def test_a_large_hour_that_is_processed_again_gets_help(self, catalog: Catalog, instance: DagsterInstance) -> None:
        catalog.queue.add(arrivals(301))
        catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
        assert workers_asked_for(catalog, instance) == 1
        assert workers_asked_for(catalog, instance) == 0

    def test_another_one_for_the_hour_of_a_backfill_that_disappeared(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        catalog.queue.add(arrivals(1))
        catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
        assert workers_asked_for(catalog, instance) == 0
        with catalog.database.connection() as connection:
            connection.execute("UPDATE workers SET seen_at = seen_at - interval '16 seconds'")
        assert workers_asked_for(catalog, instance) == 1

    def test_lost_leases_are_released(self, catalog: Catalog, instance: DagsterInstance) -> None:
        catalog.queue.add(arrivals(1))
        catalog.queue.lease("dead", 1, 0.001)
        assert wait_until(lambda: workers_asked_for(catalog, instance, lease_seconds=0.001)) == 1


class TestRelay:
    def test_a_tick_whose_daemon_is_gone_asks_for_nobody(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pusher, "LISTENER_SECONDS", 0.1)
        look = instance.get_daemon_heartbeats

        def look_before_the_new_one_comes() -> object:
            found = look()
            listens(instance, "new")
            return found

        listens(instance, "old")
        monkeypatch.setattr(instance, "get_daemon_heartbeats", look_before_the_new_one_comes)
        began = time.monotonic()
        assert push(spool, catalog, instance, Settings.read(), began + 300) == []
        assert time.monotonic() - began < 200
        store(spool)
        assert push(spool, catalog, instance, Settings.read(), time.monotonic() + 100), "the new daemon's tick does"

    def test_one_waits_while_the_other_is_on_duty(
        self, database: str, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_duty_last(0.1, monkeypatch)
        monkeypatch.setattr(pusher, "WAIT_SECONDS", 0.2)
        with psycopg.connect(database) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])
            answer = pushers[0](build_sensor_context(instance=instance))
        assert isinstance(answer, SkipReason)
        assert "other pusher" in str(answer.skip_message)

    @pytest.mark.usefixtures("spool")
    def test_one_whose_lock_is_lost_leaves_the_duty_to_the_other(
        self, database: str, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_duty_last(300, monkeypatch)

        def cut_off() -> None:
            statement = """
                SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database
                WHERE datname = current_database() AND locktype = 'advisory' AND objid = %s AND granted"""
            with psycopg.connect(database, autocommit=True) as other:
                wait_until(lambda: other.execute(statement, [DUTY_LOCK]).fetchall())

        began = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            cutting = threads.submit(cut_off)
            assert isinstance(pushers[0](build_sensor_context(instance=instance)), SkipReason)
            cutting.result()
        assert time.monotonic() - began < 200

    def test_the_other_takes_over_without_a_gap(self, database: str, spool: Spool, instance: DagsterInstance) -> None:
        store(spool)
        with psycopg.connect(database) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])
            threading.Timer(0.3, other.close).start()
            began = time.monotonic()
            answer = pushers[1](build_sensor_context(instance=instance))
        assert isinstance(answer, SensorResult)
        assert time.monotonic() - began < 15

    def test_a_tick_without_duty_looks_once_and_lets_the_other_look(
        self, database: str, spool: Spool, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_duty_last(0, monkeypatch)
        for data in (b"x", b"y"):
            store(spool, data)
            answer = pushers[0](build_sensor_context(instance=instance))
            assert isinstance(answer, SensorResult)
        assert spool.count() == 0
        with psycopg.connect(database) as other:
            row = other.execute("SELECT pg_try_advisory_lock(%s)", [DUTY_LOCK]).fetchone()
        assert row == (True,)

    def test_a_tick_that_asked_for_workers_takes_pictures_in_until_its_twin_is_there(
        self, database: str, catalog: Catalog, spool: Spool, instance: DagsterInstance
    ) -> None:
        store(spool)
        assert isinstance(pushers[0](build_sensor_context(instance=instance)), SensorResult)
        store(spool)
        wait_until(lambda: spool.count() == 0)
        assert catalog.queue.depth().queued == 2
        with psycopg.connect(database) as twin:  # which gets the lock before the stay is over by itself
            twin.execute("SELECT set_config('lock_timeout', %s, false)", [f"{pusher.STAY_SECONDS / 2 * 1000:.0f}ms"])
            twin.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])

    @pytest.mark.slow
    def test_four_gigabytes_in_the_spool_hold_up_no_request_for_workers(
        self,
        catalog: Catalog,
        spool: Spool,
        instance: DagsterInstance,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        fill(spool, 512, tmp_path / "photo", megabytes=8)
        settings = Settings.read()
        monkeypatch.setattr(pusher, "INGEST_SECONDS", 0.1)  # so that little of it goes into the test's database
        began = time.monotonic()
        answer = pushers[0](build_sensor_context(instance=instance))
        assert time.monotonic() - began < 30, "Dagster drops the answer of a tick that took longer than 60 s"
        with catalog.database.connection() as twin:
            twin.execute("SELECT pg_advisory_lock(%s)", [DUTY_LOCK])
        assert isinstance(answer, SensorResult)
        assert len(answer.run_requests or []) == wanted_workers(512, LEAST_SECONDS, settings) > 1
        taken = catalog.queue.depth().queued
        assert wanted_workers(taken, LEAST_SECONDS, settings) == 1, "the queue alone wants no second worker"
        assert taken + spool.count() == 512

    def test_a_tick_tells_once_of_the_pictures_of_each_hour(
        self, spool: Spool, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_duty_last(0, monkeypatch)
        catalog.control.pause()
        for data in (b"x", b"yy"):
            store(spool, data)
        first, second = (pushers[0](build_sensor_context(instance=instance)) for _ in range(2))
        assert isinstance(first, SensorResult)
        [event] = first.asset_events
        assert isinstance(event, AssetMaterialization)
        assert (event.asset_key, event.partition) == (ORIGINALS, partition_of(NOON))
        assert {name: value.value for name, value in event.metadata.items()} == {"images": 2, "bytes": 3}
        assert isinstance(second, SkipReason)
        store(spool)
        catalog.control.resume()
        third = pushers[1](build_sensor_context(instance=instance))
        assert isinstance(third, SensorResult)
        assert (len(third.run_requests or []), len(third.asset_events)) == (1, 1)

    def test_a_tick_without_a_database_waits_and_loses_nothing(
        self, spool: Spool, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        image_id = store(spool)
        with Catalog(f"host={tmp_path} dbname=nowhere connect_timeout=1") as nowhere, monkeypatch.context() as patch:
            patch.setattr(pusher.resources, "catalog", lambda: nowhere)
            answer = pushers[0](build_sensor_context(instance=instance))
        assert isinstance(answer, SkipReason)
        assert [entry.name for entry in spool.scan(10)] == [str(image_id)]


def test_a_picture_from_the_future_is_worked_on_in_the_present_hour(
    catalog: Catalog, instance: DagsterInstance
) -> None:
    catalog.queue.add(arrivals(1, datetime.now(UTC) + timedelta(days=2)))
    [request] = ask_for_workers(catalog, instance, Settings.read())
    assert request.partition_key in HOURS.get_partition_keys()[-2:]


def test_an_hour_is_that_of_the_oldest_image(catalog: Catalog, instance: DagsterInstance) -> None:
    catalog.queue.add([*arrivals(1), *arrivals(1, NOON - timedelta(hours=7))])
    [request] = ask_for_workers(catalog, instance, Settings.read())
    assert request.partition_key == partition_of(NOON - timedelta(hours=7))
