"""Recovery: runs that nobody works on any more are ended."""

from __future__ import annotations

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from imagomortis_pipeline.upkeep.recovery import fail_leftover_runs


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DagsterRunStatus.STARTING, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.STARTED, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.CANCELING, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.SUCCESS, DagsterRunStatus.SUCCESS),
        (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.NOT_STARTED),
    ],
)
def test_only_runs_at_work_are_ended(
    instance: DagsterInstance, before: DagsterRunStatus, after: DagsterRunStatus
) -> None:
    run = create_run_for_test(instance, job_name="process_images", status=before)
    fail_leftover_runs(instance)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is after
