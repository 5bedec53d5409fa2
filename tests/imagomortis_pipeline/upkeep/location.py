"""Runs, sensors and schedules as Dagster notes those of a code location."""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, ExecuteInProcessResult
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType
from dagster._core.test_utils import create_run_for_test

from imagomortis_pipeline.assets import partition_of
from imagomortis_pipeline.dagster_internals.tables.instigators import REPOSITORY_TAG
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES
from tests.imagomortis_pipeline.image_task import test_job
from tests.support.uploads import NOON


def repository(location: str = "here") -> RemoteRepositoryOrigin:
    """The origin of the definitions in a code location."""
    return RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "definitions")


def note_pushers(instance: DagsterInstance) -> None:
    """Note the pushers as the daemon does, by which retention knows its own code location."""
    for name in ("pusher_a", "pusher_b"):
        origin = RemoteInstigatorOrigin(repository(), name)
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING))


def run(instance: DagsterInstance, partition: str | None = partition_of(NOON), **tags: str) -> ExecuteInProcessResult:
    """Execute a run of our code location."""
    return test_job.run(instance, partition, **{REPOSITORY_TAG: repository().get_label(), **tags})


def ended_run(instance: DagsterInstance, location: str, job: str = PROCESS_IMAGES) -> DagsterRun:
    """Note a run of a code location that has ended."""
    origin = RemoteJobOrigin(repository(location), job)
    return create_run_for_test(instance, job, status=DagsterRunStatus.SUCCESS, remote_job_origin=origin)
