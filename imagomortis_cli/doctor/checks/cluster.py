"""Checks the cluster for orphans: Jobs whose run is over or unknown.

It uses `kubectl`, or in a pod of the installation, which has none, the service account of that pod.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, skipped, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.terminal import count
from imagomortis_pipeline.upkeep import janitor

STUCK_SECONDS: Final = 150.0
"""The sweep, each minute, removes a Job that has been an orphan for janitor.GRACE_SECONDS."""


def check_jobs(site: Site) -> Iterator[Finding]:
    """Look for Jobs at work for a run that is over."""
    if site.namespace is None:
        yield skipped("No cluster is looked at; --namespace names one that kubectl can reach.")
        return
    jobs = PodsJobs(site.namespace) if site.is_in_cluster else SeenJobs(site.namespace)
    if found := janitor.orphans(site.dagster, jobs, STUCK_SECONDS):
        names = " ".join(job.name for job in found)
        yield trouble(
            f"{count(len(found), 'Job')} at work for a run that is over, and no sweep removed {names}.",
            f"kubectl -n {site.namespace} delete job {names}",
        )
    else:
        yield fine(f"{count(len(jobs.at_work()), 'Job')} at work in {site.namespace}, none without its run.")


class PodsJobs:
    """The Jobs of one namespace, read by this pod's service account."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def at_work(self) -> list[janitor.Job]:
        """Return the Jobs that have not ended; raises CannotLook if the account is not allowed to list them."""
        from kubernetes.client import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError

        try:
            return janitor.cluster_jobs(self._namespace).at_work()
        except ConfigException as error:
            raise CannotLook(
                "This pod has no account of Kubernetes; that of deployment/pusher may list Jobs."
            ) from error
        except ApiException as error:
            raise CannotLook(
                f"This pod may not list the Jobs of {self._namespace} ({error.reason}); deployment/pusher may."
            ) from error
        except HTTPError as error:
            raise CannotLook("The cluster does not answer.") from error


class SeenJobs:
    """The Jobs of one namespace, read by `kubectl`."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def at_work(self) -> list[janitor.Job]:
        """Return the Jobs that have not ended; raises CannotLook if kubectl does not reach the cluster."""
        words = ["-n", self._namespace, "get", "jobs", "-l", janitor.RUN_LABEL, "-o", "json", "--request-timeout=10s"]
        try:
            done = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=30, check=False)
        except FileNotFoundError as error:
            raise CannotLook("There is no program `kubectl` here to look at the cluster with.") from error
        except subprocess.TimeoutExpired as error:
            raise CannotLook("The cluster does not answer.") from error
        if done.returncode != 0:
            last = done.stderr.strip().rpartition("\n")[2]  # the lines before it repeat themselves
            raise CannotLook(f"kubectl cannot look at the Jobs of {self._namespace}: {last}")
        return [_job(item) for item in json.loads(done.stdout)["items"] if not _has_ended(item)]


def _job(item: Mapping[str, Any]) -> janitor.Job:
    """Return the Job for an item of `kubectl get jobs -o json`."""
    metadata = item["metadata"]
    age = time.time() - datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    return janitor.Job(metadata["name"], metadata["labels"][janitor.RUN_LABEL], age)


def _has_ended(item: Mapping[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions)
