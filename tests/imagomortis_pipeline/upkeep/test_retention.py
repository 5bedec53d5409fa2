"""Retention: what is too old or too much goes, and nothing else does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from dagster import DagsterInstance
from dagster._cli import cli as dagster_cli
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from sqlalchemy import text

from imagomortis.catalog import Catalog
from imagomortis.picture.header import Header
from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_cli.upkeep import dagster_instance
from imagomortis_pipeline.assets import RENDITIONS, partition_of
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from imagomortis_pipeline.dagster_internals.tables.rows import rebuild_indexes
from imagomortis_pipeline.upkeep.retention import Expired, Terms, expire, expiring
from tests.imagomortis_pipeline.image_task.test_job import add
from tests.imagomortis_pipeline.upkeep.location import ended_run, note_pushers, repository, run
from tests.support.uploads import NOON
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
LONG = 365.0
KEEP = Terms(run_days=LONG, runs=1000, attempt_days=LONG)
"""Terms by which nothing goes."""


@pytest.fixture
def instance(dagster_database: str, tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance on Postgres, as in earnest."""
    (tmp_path / "dagster").mkdir()
    with DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=storage_on(dagster_database)) as found:
        note_pushers(found)
        yield found


def storage_on(database: str) -> dict[str, Any]:
    """The configuration of an instance."""
    return {"storage": {"postgres": {"postgres_url": for_dagster(database)}}, "telemetry": {"enabled": False}}


def after(instance: DagsterInstance, catalog: Catalog, terms: Terms, **later: float) -> Expired:
    """Let expire what has expired so much later."""
    now = datetime.now(UTC) + timedelta(**later)
    foretold = expiring(instance, catalog, terms, now)
    expired = expire(instance, catalog, terms, now, time.monotonic() + 20)
    assert foretold == expired, "a dry run says what then happens"
    assert expiring(instance, catalog, terms, now) == Expired(0, 0, 0, 0)
    return expired


def ticks(instance: DagsterInstance, name: str, kind: InstigatorType, status: TickStatus, *ages: timedelta) -> None:
    """Let a sensor or schedule have ticked so long ago."""
    data = ScheduleInstigatorData("* * * * *", 0.0) if kind is InstigatorType.SCHEDULE else None
    state = InstigatorState(RemoteInstigatorOrigin(repository(), name), kind, InstigatorStatus.RUNNING, data)
    if name not in {each.instigator_name for each in instance.all_instigator_state()}:
        instance.add_instigator_state(state)
    for age in ages:
        moment = (datetime.now(UTC) - age).timestamp()
        whose = {"instigator_origin_id": state.instigator_origin_id, "selector_id": state.selector_id}
        instance.create_tick(
            TickData(instigator_name=name, instigator_type=kind, status=status, timestamp=moment, **whose)
        )


def workers_run(instance: DagsterInstance) -> str:
    """The id of a run that the pusher asked for."""
    return run(instance, **{WORKER_TAG: str(uuid4())}).run_id


def runs(instance: DagsterInstance) -> set[str]:
    return set(instance.get_run_ids())


def sheets_of(database: str) -> set[tuple[str, str]]:
    """Where Dagster's database has sheets of thumbnails: the table, and the run."""
    statement = """
        SELECT 'event_logs', run_id FROM event_logs WHERE event LIKE '%data:image/webp%'
        UNION SELECT 'asset_keys', last_run_id FROM asset_keys WHERE last_materialization LIKE '%data:image/webp%'
    """
    with psycopg.connect(database) as connection:
        return set(connection.execute(statement).fetchall())


class TestRuns:
    TERMS = Terms(run_days=30, runs=1000, attempt_days=LONG)

    def test_an_old_run_goes_with_its_events_and_step_logs(
        self, catalog: Catalog, instance: DagsterInstance, tmp_path: Path
    ) -> None:
        run_id = workers_run(instance)
        logs = [path for path in (tmp_path / "dagster").rglob("*") if path.is_file() and run_id in str(path)]
        assert logs
        assert after(instance, catalog, self.TERMS, days=31).runs == 1
        assert runs(instance) == set()
        assert instance.all_logs(run_id) == []
        assert not [path for path in logs if path.exists()]

    def test_a_young_run_stays(self, catalog: Catalog, instance: DagsterInstance) -> None:
        workers_run(instance)
        assert after(instance, catalog, self.TERMS, days=29).runs == 0

    def test_the_oldest_of_too_many_runs_go(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis_pipeline.upkeep.retention_runs.PAGE", 2)
        made = [workers_run(instance) for _ in range(5)]
        assert after(instance, catalog, Terms(run_days=LONG, runs=2, attempt_days=LONG)).runs == 3
        assert runs(instance) == set(made[-2:])

    def test_check_rows_of_runs_that_are_gone_go_too(self, catalog: Catalog, instance: DagsterInstance) -> None:
        add(catalog, 1)
        expired, latest, by_hand = (run(instance).run_id for _ in range(3))
        instance.delete_run(by_hand)  # as the webserver does
        assert check_rows(instance) == {expired, latest, by_hand}
        after(instance, catalog, self.TERMS, days=31)
        assert check_rows(instance) == {latest}

    def test_step_logs_of_runs_that_are_gone_go_too(
        self, catalog: Catalog, instance: DagsterInstance, tmp_path: Path
    ) -> None:
        by_hand, kept = workers_run(instance), workers_run(instance)
        instance.delete_run(by_hand)
        folders = {each.name: each for each in (tmp_path / "dagster").rglob("*") if each.name in {by_hand, kept}}
        assert folders.keys() == {by_hand, kept}
        after(instance, catalog, self.TERMS)
        assert folders[by_hand].exists(), "so young, its run may be noted at this moment"
        for folder in folders.values():
            os.utime(folder, (0, 0))
        expire(instance, catalog, self.TERMS, datetime.now(UTC), time.monotonic())
        assert folders[by_hand].exists(), "the time was over before they were looked at"
        after(instance, catalog, self.TERMS)
        assert not folders[by_hand].exists()
        assert folders[kept].exists()

    def test_a_run_that_is_deleted_by_hand_takes_its_sheets_of_thumbnails_along(
        self,
        catalog: Catalog,
        instance: DagsterInstance,
        dagster_database: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As docs/runbook.md says: all but the copy of the latest report, which the next one replaces."""
        add(catalog, 1)
        run_id = workers_run(instance)
        assert sheets_of(dagster_database) == {("event_logs", run_id), ("asset_keys", run_id)}
        (tmp_path / "dagster" / "dagster.yaml").write_text(json.dumps(storage_on(dagster_database)))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
        assert CliRunner().invoke(dagster_cli, ["run", "delete", "--force", run_id]).exit_code == 0
        assert sheets_of(dagster_database) == {("asset_keys", run_id)}
        add(catalog, 1)
        following = workers_run(instance)
        assert sheets_of(dagster_database) == {("event_logs", following), ("asset_keys", following)}

    def test_the_latest_run_of_an_hour_with_pictures_stays(self, catalog: Catalog, instance: DagsterInstance) -> None:
        add(catalog, 1)
        first, latest = run(instance).run_id, run(instance).run_id
        assert after(instance, catalog, self.TERMS, days=31).runs == 1
        assert runs(instance) == {latest} != {first}
        assert instance.get_materialized_partitions(RENDITIONS) == {partition_of(NOON)}
        assert check_rows(instance) == {latest}

    def test_so_does_the_one_that_was_to_process_it_and_failed(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(catalog, 1)
        made = run(instance).run_id
        monkeypatch.setenv("IMAGOMORTIS_LINGER_SECONDS", "never")
        monkeypatch.setattr("imagomortis_pipeline.resources.new_catalog", lambda _: 1 / 0)
        failed = run(instance)
        assert not failed.success
        monkeypatch.undo()
        assert after(instance, catalog, self.TERMS, days=31).runs == 0
        assert runs(instance) == {made, failed.run_id}

    def test_the_latest_run_of_an_hour_whose_pictures_are_gone_goes_too(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        add(catalog, 1, NOON - 3 * HOUR)
        run(instance, partition=partition_of(NOON - 3 * HOUR))
        catalog.images.delete_all()
        assert after(instance, catalog, self.TERMS, days=31).runs == 1

    def test_runs_of_other_code_locations_stay(self, catalog: Catalog, instance: DagsterInstance) -> None:
        ended_run(instance, "here")
        theirs = {ended_run(instance, "theirs").run_id, ended_run(instance, "theirs", "train").run_id}
        assert after(instance, catalog, Terms(run_days=30, runs=1, attempt_days=LONG), days=31).runs == 1
        assert runs(instance) == theirs

    def test_no_run_goes_before_the_pushers_are_known(self, catalog: Catalog, dagster_database: str) -> None:
        with DagsterInstance.local_temp(overrides=storage_on(dagster_database)) as instance:
            ended_run(instance, "theirs")
            assert after(instance, catalog, self.TERMS, days=31).runs == 0

    def test_it_stops_when_its_time_is_over(self, catalog: Catalog, instance: DagsterInstance) -> None:
        workers_run(instance)
        now = datetime.now(UTC) + timedelta(days=31)
        assert expire(instance, catalog, self.TERMS, now, time.monotonic() - 1).runs == 0
        assert len(runs(instance)) == 1


class TestIndexes:
    """Of the event log, in which one event in twenty stays."""

    @pytest.fixture
    def hollow(self, instance: DagsterInstance, dagster_database: str) -> DagsterInstance:
        with psycopg.connect(dagster_database, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp) "
                "SELECT (number / 20)::text, '', 'ENGINE_EVENT', now() FROM generate_series(1, 60000) AS number"
            )
            connection.execute("DELETE FROM event_logs WHERE id % 20 > 0")
            connection.execute("VACUUM ANALYZE event_logs")
        return instance

    def test_they_are_built_anew_once(self, hollow: DagsterInstance, catalog: Catalog, dagster_database: str) -> None:
        before = index_bytes(dagster_database)
        after(hollow, catalog, KEEP)
        assert index_bytes(dagster_database) < before / 5
        assert not rebuild_indexes(hollow)

    def test_others_write_events_while_it_waits_for_one(self, hollow: DagsterInstance, dagster_database: str) -> None:
        waits = "SELECT FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND wait_event_type = 'Lock'"
        with (
            psycopg.connect(dagster_database) as one,
            psycopg.connect(dagster_database, autocommit=True) as others,
            ThreadPoolExecutor(1) as threads,
        ):
            one.execute("LOCK TABLE event_logs IN ROW EXCLUSIVE MODE")
            rebuild = threads.submit(rebuild_indexes, hollow)
            wait_until(lambda: rebuild.done() or others.execute(waits).fetchall())
            others.execute("SET lock_timeout = '100ms'")
            others.execute("INSERT INTO event_logs (run_id, event, timestamp) VALUES ('run', '', now())")

    def test_clients_of_the_event_log_do_not_wait(self, hollow: DagsterInstance, dagster_database: str) -> None:
        with psycopg.connect(dagster_database) as other:
            other.execute("LOCK TABLE event_logs IN ROW EXCLUSIVE MODE")
            assert not rebuild_indexes(hollow)
        assert rebuild_indexes(hollow)


def index_bytes(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT pg_indexes_size('event_logs')").fetchone()
    assert row
    return int(row[0])


class TestAttempts:
    TERMS = Terms(run_days=LONG, runs=1000, attempt_days=90)

    def test_old_ones_go_but_for_the_last_of_each_picture(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1)
        for _ in range(3):
            run(instance)
        assert after(instance, catalog, self.TERMS, days=89).attempts == 0
        assert after(instance, catalog, self.TERMS, days=91).attempts == 2
        assert [attempt.attempt for attempt in catalog.images.attempts(image_id)] == [3]

    def test_one_whose_run_has_expired_says_so(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1)
        run(instance)
        run(instance)
        after(instance, catalog, TestRuns.TERMS, days=31)
        assert [attempt.run_expired for attempt in catalog.images.attempts(image_id)] == [True, False]

    def test_so_does_one_whose_run_was_deleted_by_hand(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1)
        instance.delete_run(run(instance).run_id)
        after(instance, catalog, KEEP)
        assert [attempt.run_expired for attempt in catalog.images.attempts(image_id)] == [True]


def test_unused_pictures_of_assets_go(catalog: Catalog, instance: DagsterInstance) -> None:
    asset = catalog.assets.save("logo", b"bytes", Header("PNG", "image/png", 4, 3, 1, 1, 5, 5))
    catalog.assets.delete("logo")
    with catalog.database.connection() as connection:
        connection.execute("UPDATE asset_pictures SET stored_at = now() - interval '25 hours'")
    after(instance, catalog, KEEP)
    with pytest.raises(LookupError):
        catalog.assets.bytes_of(asset.sha256)


class TestPictures:
    def test_none_goes_unless_that_is_set(self, catalog: Catalog, instance: DagsterInstance) -> None:
        add(catalog, 2)
        run(instance)
        assert after(instance, catalog, KEEP, days=10_000).pictures == 0

    def test_old_ones_go_and_can_be_restored_for_a_while(self, catalog: Catalog, instance: DagsterInstance) -> None:
        old, new = add(catalog, 2, NOON), add(catalog, 1, datetime.now(UTC))
        run(instance, **{WORKER_TAG: str(uuid4())})
        days = (datetime.now(UTC) - NOON) / timedelta(days=1)
        terms = Terms(run_days=LONG, runs=1000, attempt_days=LONG, picture_days=days)
        assert after(instance, catalog, terms, minutes=1).pictures == 2
        assert catalog.images.one(new[0])
        assert set(catalog.images.restore(old)) == set(old)

    def test_the_oldest_go_when_all_take_too_much(self, catalog: Catalog, instance: DagsterInstance) -> None:
        ids = [add(catalog, 1, NOON + number * HOUR)[0] for number in range(4)]
        run(instance, **{WORKER_TAG: str(uuid4())})
        sizes = [size(catalog, image_id) for image_id in ids]
        terms = Terms(run_days=LONG, runs=1000, attempt_days=LONG, picture_bytes=sizes[3] + sizes[2] + sizes[1] // 2)
        assert after(instance, catalog, terms).pictures == 2
        assert [catalog.images.one(image_id) is not None for image_id in ids] == [False, False, True, True]

    def test_one_that_waits_is_never_deleted(self, catalog: Catalog, instance: DagsterInstance) -> None:
        add(catalog, 3)
        terms = Terms(run_days=LONG, runs=1000, attempt_days=LONG, picture_days=0.001, picture_bytes=1)
        assert after(instance, catalog, terms, days=1).pictures == 0

    def test_the_trash_is_emptied_after_its_days_in_slices(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis_pipeline.upkeep.retention.SLICE", 2)
        trashed = add(catalog, 5)
        catalog.trash.put(trashed, timedelta(days=30))
        assert after(instance, catalog, KEEP, days=29).trashed_pictures == 0
        assert catalog.images.purge(undo_seconds=-60) == 0
        assert after(instance, catalog, KEEP, days=31).trashed_pictures == 5
        assert catalog.images.purge(undo_seconds=-60) == 5


def check_rows(instance: DagsterInstance) -> set[str]:
    """The runs that have evaluations of checks."""
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        return set(connection.execute(text("SELECT run_id FROM asset_check_executions")).scalars())


def size(catalog: Catalog, image_id: object) -> int:
    """The bytes that a picture takes with its renditions."""
    image = catalog.images.one(image_id)  # type: ignore[arg-type]
    assert image
    return image.size + sum(each.size for each in catalog.images.renditions(image.id))


class TestTicks:
    DAY = timedelta(days=1)

    def test_those_of_each_outcome_go_by_the_days_of_dagster_yaml(
        self, dagster_database: str, catalog: Catalog, tmp_path: Path
    ) -> None:
        with dagster_instance.opened(Settings(home=tmp_path), dagster_database) as instance:
            kinds = {"pusher_a": InstigatorType.SENSOR, "sweep": InstigatorType.SCHEDULE}
            for name, kind in kinds.items():
                for status, days in ((TickStatus.SKIPPED, 1), (TickStatus.STARTED, 7)):
                    ticks(instance, name, kind, status, days * self.DAY - HOUR, days * self.DAY + HOUR)
            assert after(instance, catalog, KEEP).ticks == 4
            assert after(instance, catalog, KEEP, hours=2).ticks == 4

    def test_those_that_no_setting_names_stay(self, instance: DagsterInstance, catalog: Catalog) -> None:
        ticks(instance, "sweep", InstigatorType.SCHEDULE, TickStatus.SKIPPED, 90 * self.DAY)
        assert after(instance, catalog, KEEP).ticks == 0
