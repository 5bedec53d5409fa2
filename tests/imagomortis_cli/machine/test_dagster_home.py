"""Dagster's folder and database: what is asked of them without Dagster."""

from __future__ import annotations

import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.utils import make_new_run_id
from dagster_postgres import PostgresRunStorage

from imagomortis_cli.machine.dagster_home import has_runs_at_work
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline.upkeep.recovery import AT_WORK


@pytest.fixture
def runs(empty_database: str) -> PostgresRunStorage:
    """The runs of a new Dagster."""
    return PostgresRunStorage(for_dagster(empty_database), should_autocreate_tables=True)


# one that is queued needs a place where its job comes from
@pytest.mark.parametrize("status", [each for each in DagsterRunStatus if each is not DagsterRunStatus.QUEUED])
def test_runs_at_work_are_those_that_recovery_ends(
    runs: PostgresRunStorage, empty_database: str, status: DagsterRunStatus
) -> None:
    assert not has_runs_at_work(empty_database)
    runs.add_run(DagsterRun(job_name="process_images", run_id=make_new_run_id(), status=status))
    assert has_runs_at_work(empty_database) == (status in AT_WORK)
