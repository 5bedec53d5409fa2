"""How many runs Dagster admits, by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance, DagsterInvalidConfigError, DagsterRunStatus
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.test_utils import create_run_for_test, instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from imagomortis_pipeline.dagster_internals.run_queue import REPROCESSING_TAG, ROOM_FOR_REPROCESSING, WORKER_TAG
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from tests.imagomortis_pipeline.test_pusher import ORIGIN

ROOT = Path(__file__).parents[3]


def overrides(path: Path) -> dict[str, Any]:
    return {"run_coordinator": yaml.safe_load(path.read_text())["run_coordinator"]}


def limits_of(instance: DagsterInstance) -> tuple[int, list[dict[str, Any]]]:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    return queue.max_concurrent_runs, list(queue.tag_concurrency_limits or ())


def test_one_setting_limits_the_workers_and_leaves_room_for_backfills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_MAX_WORKERS", "7")
    with instance_for_test(overrides=overrides(ROOT / "dagster.yaml")) as instance:
        limits = [{"key": WORKER_TAG, "limit": 7}, {"key": REPROCESSING_TAG, "limit": ROOM_FOR_REPROCESSING}]
        assert limits_of(instance) == (7 + ROOM_FOR_REPROCESSING, limits)


def test_a_standby_worker_and_its_replacement_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_MAX_WORKERS", "2")
    monkeypatch.setenv("IMAGOMORTIS_MIN_WORKERS", "3")
    with instance_for_test(overrides=overrides(ROOT / "dagster.yaml")) as instance:
        most, limits = limits_of(instance)
        assert (most, limits[0]["limit"]) == (4 + ROOM_FOR_REPROCESSING, 4)


@pytest.mark.parametrize(("tags", "is_limited"), [({}, True), ({WORKER_TAG: "id"}, False)])
def test_runs_that_the_pusher_did_not_ask_for_share_a_limit(tags: dict[str, str], *, is_limited: bool) -> None:
    with instance_for_test(overrides=overrides(ROOT / "dagster.yaml")) as instance:
        run = create_run_for_test(instance, job_name=PROCESS_IMAGES, tags=tags, remote_job_origin=ORIGIN)
        with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as process:
            instance.run_coordinator.submit_run(SubmitRunContext(run, process.create_request_context()))
        queued = instance.get_run_by_id(run.run_id)
        assert queued
        assert queued.status is DagsterRunStatus.QUEUED
        assert (REPROCESSING_TAG in queued.tags) == is_limited


@pytest.mark.slow
def test_the_daemon_admits_runs_by_it_as_by_dagsters_own_queue() -> None:
    with instance_for_test(overrides=overrides(ROOT / "dagster.yaml")) as instance:
        assert "QUEUED_RUN_COORDINATOR" in instance.get_required_daemon_types()
        assert instance.run_coordinator.dequeue_interval_seconds == 1


def test_limits_in_the_file_are_refused_as_the_settings_have_them() -> None:
    wrong = overrides(ROOT / "dagster.yaml")
    wrong["run_coordinator"]["config"]["max_concurrent_runs"] = 3
    with (
        instance_for_test(overrides=wrong) as instance,
        pytest.raises(DagsterInvalidConfigError, match="max_concurrent_runs"),
    ):
        _ = instance.run_coordinator
