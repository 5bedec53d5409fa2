"""Whether the cluster holds what nobody needs: Jobs whose run is over or unknown. Looked at by `kubectl`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from dagster import DagsterRunStatus, RunsFilter

from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, skipped, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.terminal import count

RUN_LABEL: Final = "dagster/run-id"
"""The label by which Dagster marks the Jobs of a run."""

AT_WORK: Final = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class Job:
    """A Job of a run."""

    name: str
    run_id: str
    is_active: bool

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        """Return the Job that an item of `kubectl get jobs -o json` describes."""
        metadata = item["metadata"]
        return cls(metadata["name"], metadata["labels"][RUN_LABEL], bool(item.get("status", {}).get("active")))


def check_jobs(site: Site) -> Iterator[Finding]:
    """Look for Jobs that are at work for a run that is not."""
    if site.namespace is None:
        yield skipped("No cluster is looked at; --namespace names one that kubectl can reach.")
        return
    jobs = _jobs(site.namespace)
    running = set(site.dagster.get_run_ids(RunsFilter(statuses=AT_WORK)))
    if found := orphans(jobs, running):
        names = " ".join(job.name for job in found)
        yield trouble(
            f"{count(len(found), 'Job')} at work for a run that is over.",
            f"kubectl -n {site.namespace} delete job {names}",
        )
    else:
        yield fine(f"{count(len(jobs), 'Job')} in {site.namespace}, none without its run.")


def orphans(jobs: Sequence[Job], running: set[str]) -> list[Job]:
    """Return the Jobs that are at work although their run is not."""
    return [job for job in jobs if job.is_active and job.run_id not in running]


def _jobs(namespace: str) -> list[Job]:
    command = ["kubectl", "-n", namespace, "get", "jobs", "-l", RUN_LABEL, "-o", "json", "--request-timeout=10s"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError as error:
        raise CannotLook("There is no program `kubectl` here to look at the cluster with.") from error
    except subprocess.TimeoutExpired as error:
        raise CannotLook("The cluster does not answer.") from error
    if done.returncode != 0:
        raise CannotLook(f"kubectl cannot look at the Jobs of {namespace}: {' '.join(done.stderr.split())}")
    return [Job.parse(item) for item in json.loads(done.stdout)["items"]]
