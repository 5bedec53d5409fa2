"""Which Jobs of a cluster are orphans: those at work for a run that is not."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from imagomortis_pipeline.upkeep.janitor import GRACE_SECONDS, Job, orphans, remove_orphans

OLD = GRACE_SECONDS + 1


class JobsHere:
    """Jobs that are held in a list."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)

    def at_work(self) -> list[Job]:
        return self.jobs

    def delete(self, name: str) -> None:
        self.jobs = [job for job in self.jobs if job.name != name]


def add(instance: DagsterInstance, status: DagsterRunStatus) -> str:
    return instance.add_run(DagsterRun(job_name="process_images", run_id=str(uuid4()), status=status)).run_id


def test_a_job_whose_run_is_over_or_unknown_is_an_orphan(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobsHere(
        Job("at-work", add(instance, DagsterRunStatus.STARTED), OLD),
        Job("over", add(instance, DagsterRunStatus.CANCELED), OLD),
        Job("unknown", str(uuid4()), OLD),
    )
    assert [job.name for job in orphans(instance, jobs)] == ["unknown"], "one whose run just ended is ending, too"
    later = time.time() + GRACE_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert [job.name for job in orphans(instance, jobs)] == ["over", "unknown"]
    assert remove_orphans(instance, jobs) == 2
    assert [job.name for job in jobs.jobs] == ["at-work"]


def test_a_young_job_may_belong_to_a_run_that_is_just_being_noted(instance: DagsterInstance) -> None:
    assert orphans(instance, JobsHere(Job("young", str(uuid4()), GRACE_SECONDS - 1))) == []
