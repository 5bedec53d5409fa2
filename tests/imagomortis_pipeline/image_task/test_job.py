"""The image task: what its runs do, and what Dagster shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID, uuid4

import pytest
from dagster import AssetCheckSeverity, AssetMaterialization, DagsterEventType, DagsterInstance, ExecuteInProcessResult

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import Images
from imagomortis.errors import DecoderCrashed, Unavailable
from imagomortis.lifecycle import State
from imagomortis.picture import sheet
from imagomortis.recipe.recipe import Recipe
from imagomortis.work.worker import HourStatistics
from imagomortis_pipeline.assets import ALL_DONE, ORIGINALS, RENDITIONS, partition_of
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from imagomortis_pipeline.definitions import definitions
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from imagomortis_pipeline.image_task.report import check_of, metadata_of
from tests.support.pictures import photo
from tests.support.uploads import NOON, upload

pytestmark = pytest.mark.slow

RECIPE = Recipe.parse("circles")
HOUR = timedelta(hours=1)


def add(catalog: Catalog, count: int = 2, moment: datetime = NOON, data: bytes | None = None) -> list[UUID]:
    arrivals = []
    for number in range(count):
        original = data or photo(64, 48, seed=number)
        new = upload(original, moment, recipe=RECIPE.as_json(), recipe_digest=RECIPE.digest, recipe_name=None)
        arrivals.append((new, original))
    catalog.queue.add(arrivals)
    return [new.id for new, _ in arrivals]


def run(instance: DagsterInstance, partition: str | None = partition_of(NOON), **tags: str) -> ExecuteInProcessResult:
    return definitions.resolve_job_def(PROCESS_IMAGES).execute_in_process(
        partition_key=partition, instance=instance, tags=tags, raise_on_error=False
    )


def states(catalog: Catalog, ids: list[UUID]) -> list[State]:
    found = [catalog.images.one(image_id) for image_id in ids]
    return [image.state for image in found if image]


class TestAWorkersRun:
    def test_it_drains_the_queue_and_reports_every_hour_that_it_touched(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        ids = add(catalog, 3) + add(catalog, 2, NOON - HOUR)
        assert run(instance, **{WORKER_TAG: str(uuid4())}).success
        assert set(states(catalog, ids)) == {State.DONE}
        assert instance.get_materialized_partitions(RENDITIONS) == {partition_of(NOON), partition_of(NOON - HOUR)}

    def test_it_leaves_what_is_done_alone(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1)
        run(instance, **{WORKER_TAG: str(uuid4())})
        run(instance, **{WORKER_TAG: str(uuid4())})
        assert len(catalog.images.attempts(image_id)) == 1

    def test_a_run_without_work_reports_its_own_hour(self, instance: DagsterInstance) -> None:
        assert run(instance, **{WORKER_TAG: str(uuid4())}).success
        assert instance.get_materialized_partitions(RENDITIONS) == {partition_of(NOON)}

    def test_an_image_leads_to_its_run(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1)
        result = run(instance, **{WORKER_TAG: str(uuid4())})
        image = catalog.images.one(image_id)
        assert image is not None
        assert image.run_id == result.run_id
        assert [attempt.run_id for attempt in catalog.images.attempts(image_id)] == [result.run_id]


class TestAnyOtherRun:
    def test_it_processes_its_hour_again_and_no_other(self, catalog: Catalog, instance: DagsterInstance) -> None:
        here, there = add(catalog), add(catalog, 2, NOON - HOUR)
        run(instance, **{WORKER_TAG: str(uuid4())})
        assert run(instance).success
        assert [len(catalog.images.attempts(image_id)) for image_id in here + there] == [2, 2, 1, 1]

    def test_an_hour_without_images_is_reported_for_its_backfill_to_succeed(self, instance: DagsterInstance) -> None:
        assert run(instance).success
        assert instance.get_materialized_partitions(RENDITIONS) == {partition_of(NOON)}

    def test_a_run_that_fails_does_not_report_the_hours_that_it_left(
        self, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> NoReturn:
            raise Unavailable("Postgres is away.")

        monkeypatch.setattr(Images, "reprocess_once", fail)
        assert not run(instance).success
        assert instance.get_materialized_partitions(RENDITIONS) == set()

    def test_a_range_of_hours_is_processed_again_by_one_run(self, catalog: Catalog, instance: DagsterInstance) -> None:
        early, late = add(catalog, 2, NOON - 3 * HOUR), add(catalog, 1, NOON - HOUR)
        outside = add(catalog, 1, NOON)
        run(instance, **{WORKER_TAG: str(uuid4())})
        hours = {"start": partition_of(NOON - 3 * HOUR), "end": partition_of(NOON - HOUR)}
        tags = {f"dagster/asset_partition_range_{end}": hour for end, hour in hours.items()}
        result = run(instance, None, **tags)
        assert result.success
        assert [len(catalog.images.attempts(each)) for each in early + late + outside] == [2, 2, 2, 1]
        reported = [found.partition for found in result.asset_materializations_for_node("renditions")]
        assert reported == [partition_of(NOON - hours * HOUR) for hours in (3, 2, 1)]

    def test_a_month_from_the_asset_page_is_a_handful_of_runs(self) -> None:
        policy = definitions.resolve_asset_graph().get(RENDITIONS).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run is not None
        assert 720 / policy.max_partitions_per_run <= 10

    @pytest.mark.parametrize("has_originals", [False, True], ids=["empty", "with originals"])
    def test_a_run_without_a_partition_fails_and_says_how_to_give_one(
        self, instance: DagsterInstance, has_originals: bool
    ) -> None:
        if has_originals:
            instance.report_runless_asset_event(AssetMaterialization(ORIGINALS, partition=partition_of(NOON)))
        result = run(instance, partition=None)
        assert not result.success
        [failure] = instance.all_logs(result.run_id, of_type=DagsterEventType.RUN_FAILURE)
        assert failure.dagster_event is not None
        error = failure.dagster_event.job_failure_data.error
        assert error is not None
        assert "dagster job backfill" in error.to_string()


class TestWhatDagsterShows:
    def test_counts_percentiles_and_a_sheet_of_thumbnails(
        self, catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(sheet, "draw")  # in this process; the sandbox's child has it
        add(catalog, 8)
        run(instance, **{WORKER_TAG: str(uuid4())})
        event = instance.get_latest_materialization_event(RENDITIONS)
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert metadata["images_done"].value == 8
        assert metadata["hour"].value == {"queued": 0, "processing": 0, "done": 8, "failed": 0}
        assert 0 < metadata["seconds_p50"].value <= metadata["seconds_p95"].value <= metadata["seconds_p99"].value
        assert str(metadata["thumbnails"].value).startswith("![")

    def test_a_sheet_that_cannot_be_drawn_is_left_out(self, catalog: Catalog, instance: DagsterInstance) -> None:
        def fail(_: Sequence[bytes]) -> bytes:
            raise DecoderCrashed("It was ended.")

        add(catalog, 1)
        run(instance, **{WORKER_TAG: str(uuid4())})
        metadata = metadata_of(catalog, NOON, HourStatistics(done=1), "http://localhost", fail)
        assert metadata["images_done"].value == 1
        assert "thumbnails" not in metadata

    def test_failures_with_their_cause_and_a_link(self, catalog: Catalog, instance: DagsterInstance) -> None:
        [image_id] = add(catalog, 1, data=photo(64, 48, seed=0)[:300])
        run(instance, **{WORKER_TAG: str(uuid4())})
        event = instance.get_latest_materialization_event(RENDITIONS)
        assert event is not None
        assert event.asset_materialization is not None
        failures = str(event.asset_materialization.metadata["failures"].value)
        assert f"/api/images/{image_id}/info" in failures

    def test_the_check_tells_whether_all_images_of_an_hour_are_done(
        self, catalog: Catalog, instance: DagsterInstance
    ) -> None:
        add(catalog, 1, NOON - HOUR)
        add(catalog, 1, NOON, data=photo(64, 48, seed=0)[:300])
        result = run(instance, **{WORKER_TAG: str(uuid4())})
        checks = result.get_asset_check_evaluations()
        assert {(check.asset_check_key, check.partition, check.passed) for check in checks} == {
            (ALL_DONE, partition_of(NOON - HOUR), True),
            (ALL_DONE, partition_of(NOON), False),
        }

    @pytest.mark.parametrize(
        ("fails", "waits", "passed", "severity"),
        [
            (False, False, True, AssetCheckSeverity.WARN),
            (False, True, False, AssetCheckSeverity.WARN),
            (True, True, False, AssetCheckSeverity.ERROR),
        ],
        ids=["done", "waits", "failed"],
    )
    def test_images_that_wait_are_a_warning_and_those_that_failed_an_error(
        self, catalog: Catalog, *, fails: bool, waits: bool, passed: bool, severity: AssetCheckSeverity
    ) -> None:
        if fails:
            add(catalog, 1)
            while lease := catalog.queue.lease("run", 1, 60):
                catalog.queue.fail(lease.token, lease.images[0].id, "It crashed.", "crash", 0.1)
        if waits:
            add(catalog, 1)
        check = check_of(catalog, NOON)
        assert (check.partition, check.passed, check.severity) == (partition_of(NOON), passed, severity)

    def test_many_images_leave_few_rows(self, catalog: Catalog, instance: DagsterInstance) -> None:
        add(catalog, 200, datetime.now(UTC))
        result = run(instance, **{WORKER_TAG: str(uuid4())})
        assert len(instance.all_logs(result.run_id)) <= 25
