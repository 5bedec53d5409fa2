"""The janitor: removes the Kubernetes Jobs that Dagster leaves behind.

A cancelled run, or a run whose pod was lost, may leave active Jobs. Kubernetes itself removes Jobs that have ended,
after their time to live.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Protocol

from dagster import DagsterInstance, RunRecord, RunsFilter

from imagomortis.logs import Log

log = Log(__name__)

GRACE_SECONDS: Final = 30.0
"""The run of a younger Job may not be noted yet. A Job whose run ended more recently is still ending by itself."""

RUN_LABEL: Final = "dagster/run-id"

REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Job:
    """An active Job, and the run that it belongs to."""

    name: str
    run_id: str
    seconds: float
    """The age of the Job."""


class Jobs(Protocol):
    """The Jobs of Dagster in a cluster."""

    def at_work(self) -> list[Job]:
        """Return the Jobs that have not ended."""


class DeletableJobs(Jobs, Protocol):
    """Jobs that can also be removed."""

    def delete(self, name: str) -> None:
        """Remove a Job and its pods; nothing happens if it is gone."""


class ClusterJobs:
    """The Jobs of one namespace, by the Kubernetes client."""

    def __init__(self, api: Any, namespace: str) -> None:
        """Take the batch API of the Kubernetes client, and the namespace."""
        self._api = api
        self._namespace = namespace

    def at_work(self) -> list[Job]:
        """Return the Jobs that have not ended."""
        found = self._api.list_namespaced_job(
            self._namespace, label_selector=RUN_LABEL, _request_timeout=REQUEST_SECONDS
        )
        now = time.time()
        return [
            Job(item.metadata.name, item.metadata.labels[RUN_LABEL], now - item.metadata.creation_timestamp.timestamp())
            for item in found.items
            if not any(
                one.type in {"Complete", "Failed"} and one.status == "True" for one in item.status.conditions or ()
            )
        ]

    def delete(self, name: str) -> None:
        """Remove a Job and its pods; nothing happens if it is gone."""
        from kubernetes.client import ApiException

        try:
            self._api.delete_namespaced_job(
                name, self._namespace, propagation_policy="Background", _request_timeout=REQUEST_SECONDS
            )
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def orphans(instance: DagsterInstance, jobs: Jobs, grace: float = GRACE_SECONDS) -> list[Job]:
    """Return active Jobs older than ``grace`` seconds whose run was deleted, or ended longer ago than that."""
    by_run: Mapping[str, list[Job]] = defaultdict(list)
    for job in jobs.at_work():
        if job.seconds > grace:
            by_run[job.run_id].append(job)
    if not by_run:
        return []
    records = instance.get_run_records(RunsFilter(run_ids=list(by_run)))
    spared = {record.dagster_run.run_id for record in records if not _is_long_over(record, grace)}
    return [job for run_id, found in by_run.items() if run_id not in spared for job in found]


def _is_long_over(record: RunRecord, grace: float) -> bool:
    ended = record.end_time or record.update_timestamp.timestamp()
    return record.dagster_run.is_finished and time.time() - ended > grace


def remove_orphans(instance: DagsterInstance, jobs: DeletableJobs) -> int:
    """Remove the active Jobs whose run has ended or was deleted; return how many."""
    found = orphans(instance, jobs)
    for job in found:
        jobs.delete(job.name)
        log.warning("removed", job=job.name, run=job.run_id)
    return len(found)


@cache
def cluster_jobs(namespace: str) -> ClusterJobs:
    """Return the Jobs of the cluster in which this process runs."""
    from kubernetes.client import ApiClient, BatchV1Api, Configuration
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)
    configuration.retries = 1  # the default of three would keep the pusher waiting three times as long
    return ClusterJobs(BatchV1Api(ApiClient(configuration)), namespace)
