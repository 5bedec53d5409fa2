"""The schedules: they do their work inside their tick, and start no run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from dagster import AssetMaterialization, DagsterInstance, SkipReason, build_schedule_context

from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis.spool.object_spool import ObjectSpool
from imagomortis.spool.resumable import Note, ResumableUploads
from imagomortis.spool.spool import Spool
from imagomortis.storage import original_name
from imagomortis.storage.object_store import ObjectStore
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline import schedules
from imagomortis_pipeline.assets import ALL_DONE, ORIGINALS, partition_of
from imagomortis_pipeline.image_task.report import check_of
from imagomortis_pipeline.schedules import exports, retention, sweep, sweep_once
from imagomortis_pipeline.upkeep import janitor
from imagomortis_pipeline.upkeep.janitor import GRACE_SECONDS, Job
from tests.imagomortis_pipeline.upkeep.test_janitor import JobsHere
from tests.support.uploads import NOON, arrivals, result, upload


@pytest.fixture
def instance(dagster_database: str) -> Iterator[DagsterInstance]:
    """An instance on Postgres that a schedule's context can refer to."""
    storage = {"storage": {"postgres": {"postgres_url": for_dagster(dagster_database)}}}
    with DagsterInstance.local_temp(overrides=storage) as found:
        yield found


def images(catalog: Catalog) -> int:
    with catalog.database.connection() as connection:
        [row] = connection.execute("SELECT count(*) AS images FROM images").fetchall()
    return int(row["images"])


def test_deleted_images_are_purged_when_they_can_no_longer_be_restored(spool: Spool, catalog: Catalog) -> None:
    gone = catalog.images.delete(catalog.queue.add(arrivals(3)))
    sweep_once(catalog, spool, Settings.read(undo_seconds=60))
    assert images(catalog) == 3
    sweep_once(catalog, spool, Settings.read(undo_seconds=0.001))
    assert images(catalog) == 0
    assert catalog.images.restore(gone) == []


def test_images_in_sight_are_never_purged(spool: Spool, catalog: Catalog) -> None:
    catalog.queue.add(arrivals(3))
    sweep_once(catalog, spool, Settings.read(undo_seconds=0.001))
    assert images(catalog) == 3


def test_workers_that_disappeared_are_noted(spool: Spool, catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    with catalog.database.connection() as connection:
        connection.execute("UPDATE workers SET seen_at = seen_at - interval '16 seconds'")
    assert sweep_once(catalog, spool, Settings.read()).startswith("1 workers gone")
    assert sweep_once(catalog, spool, Settings.read()).startswith("0 workers gone")


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_objects_without_a_row_are_removed(spool: Spool, database: str, tmp_path: Path) -> None:
    store, name = ObjectStore.of(f"file://{tmp_path}/store"), original_name(uuid4())
    store.put({name: b"of a crash"})
    age(tmp_path / "store" / name, 100_000)
    with Catalog(database, objects=store) as catalog:
        assert "1 objects without a row removed" in sweep_once(catalog, spool, Settings.read())
        assert catalog.figures.storage_usage()
    assert list(store.listed()) == []


def test_an_object_store_that_is_away_holds_up_nothing_else(spool: Spool, database: str) -> None:
    key = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    store = ObjectStore.of("s3://bucket/prefix", "http://127.0.0.1:9", key)  # nothing listens there
    folder = spool.incoming / "old"
    folder.mkdir()
    age(folder, 7200)
    with Catalog(database, objects=store) as catalog:
        assert "1 abandoned parts removed" in sweep_once(catalog, spool, Settings.read())
        assert sum(use.errors for use in catalog.figures.storage_usage()) >= 1


def test_uploads_in_pieces_are_swept_although_the_entries_cannot_be(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("The storage refuses this (AccessDenied).", retry_after=5)

    spool = ObjectSpool(ObjectStore.of(f"file://{tmp_path}/objects"), tmp_path / "drafts")
    spool.prepare()
    spool.objects.put({"ready/crashed/original": b"x", f"incoming/{uuid4()}/probe": b"probe"})
    for file in (tmp_path / "objects").rglob("*/*/*"):
        age(file, 100_000)
    monkeypatch.setattr(ObjectStore, "head", refuse)
    assert "1 abandoned parts removed" in sweep_once(catalog, spool, Settings.read())


def test_results_are_exported(
    catalog: Catalog, instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_EXPORT_TARGETS", f"file://{tmp_path}/exports")
    target = f"file://{tmp_path}/exports/{{stem}}"
    catalog.queue.add([(upload(filename="harbour.png", recipe={"steps": [], "export": target}), b"bytes")])
    lease = catalog.queue.lease("run", 1, 60)
    assert lease is not None
    catalog.queue.save(lease.token, [result(lease.images[0], b"processed")])
    told = exports(build_schedule_context(instance))
    assert isinstance(told, SkipReason)
    assert told.skip_message == "1 images exported, 0 failed and will be tried again."
    assert (tmp_path / "exports" / "harbour").read_bytes() == b"processed"


def test_abandoned_parts_of_uploads_are_removed_and_fresh_ones_are_not(spool: Spool, catalog: Catalog) -> None:
    for name, seconds in (("old", 7200), ("new", 60)):
        folder = spool.incoming / name
        folder.mkdir()
        (folder / "original").write_bytes(b"x")
        age(folder / "original", seconds)
        age(folder, seconds)
    sweep_once(catalog, spool, Settings.read())
    assert [folder.name for folder in spool.incoming.iterdir()] == ["new"]


def test_uploads_in_pieces_are_removed_when_they_have_expired(spool: Spool, catalog: Catalog) -> None:
    uploads = ResumableUploads(spool, Settings.read().upload_keep_seconds)
    old, new = (uploads.begin(Note(length=10, filename="a.jpg")) for _ in range(2))
    folder = old.draft.folder.parent
    for path in (*folder.rglob("*"), folder):
        age(path, Settings.read().upload_keep_seconds + 60)
    sweep_once(catalog, spool, Settings.read())
    assert [each.name for each in spool.tus.iterdir()] == [str(new.id)]


@pytest.mark.parametrize("schedule", [sweep, retention])
def test_a_tick_starts_no_run(schedule: object, instance: DagsterInstance) -> None:
    answer = schedule(build_schedule_context(instance=instance))  # type: ignore[operator]
    assert isinstance(answer, SkipReason)


def test_a_tick_without_a_database_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instance: DagsterInstance
) -> None:
    with Catalog(f"host={tmp_path} dbname=nowhere connect_timeout=1") as nowhere, monkeypatch.context() as patch:
        patch.setattr(schedules.resources, "catalog", lambda: nowhere)
        answer = sweep(build_schedule_context(instance=instance))
    assert isinstance(answer, SkipReason)
    assert "database is away" in str(answer.skip_message)


def test_a_check_is_evaluated_again_when_a_failed_image_is_purged(
    catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_UNDO_SECONDS", "0.001")
    [image] = catalog.queue.add(arrivals(1))
    while lease := catalog.queue.lease("run", 1, 60):
        catalog.queue.fail(lease.token, lease.images[0].id, "It crashed.", "crash", 0.1)
    sweep(build_schedule_context(instance))
    assert evaluations(instance) == []
    catalog.images.delete([image])
    for _ in range(2):
        sweep(build_schedule_context(instance))
        assert evaluations(instance) == [(partition_of(NOON), True)]


def test_the_check_of_an_hour_whose_failed_images_are_purged_more_than_once_is_evaluated_each_time(
    catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_UNDO_SECONDS", "0.001")
    for image in catalog.queue.add(arrivals(2)):
        while lease := catalog.queue.lease("run", 2, 60):
            for each in lease.images:
                catalog.queue.fail(lease.token, each.id, "It crashed.", "crash", 0.1)
        catalog.images.delete([image])
        sweep(build_schedule_context(instance))
    assert evaluations(instance) == [(partition_of(NOON), True)]


def test_orphaned_jobs_are_removed_also_if_a_run_is_its_image_task(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobsHere(Job("orphan", str(uuid4()), GRACE_SECONDS + 1))
    monkeypatch.setattr(janitor, "cluster_jobs", lambda _: jobs)
    sweep(build_schedule_context(instance))
    assert jobs.at_work(), "on one machine there is no cluster"
    monkeypatch.setenv("IMAGOMORTIS_IN_CLUSTER", "true")
    schedules.resources.settings.cache_clear()
    sweep(build_schedule_context(instance))
    assert not jobs.at_work()


def evaluations(instance: DagsterInstance) -> list[tuple[str | None, bool]]:
    """The evaluations of the check that are recorded: of which hour, and whether it passed."""
    found = instance.event_log_storage.get_asset_check_execution_history(ALL_DONE, limit=10)
    checks = [record.event.dagster_event.asset_check_evaluation_data for record in found if record.event]
    return [(check.partition, check.passed) for check in checks]


def test_of_events_without_a_run_retention_keeps_the_last_of_each_hour(
    catalog: Catalog, instance: DagsterInstance
) -> None:
    for hour in (NOON, NOON, NOON, NOON - timedelta(hours=1)):
        instance.report_runless_asset_event(AssetMaterialization(ORIGINALS, partition=partition_of(hour)))
    instance.report_runless_asset_event(check_of(catalog, NOON))
    retention(build_schedule_context(instance))
    kept = instance.fetch_materializations(ORIGINALS, limit=10).records
    assert sorted(record.partition_key or "" for record in kept) == [
        partition_of(NOON - timedelta(hours=1)),
        partition_of(NOON),
    ]
    assert len(evaluations(instance)) == 1
