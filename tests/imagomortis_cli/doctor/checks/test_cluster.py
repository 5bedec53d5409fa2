"""Whether the cluster holds Jobs that nobody needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from urllib3.exceptions import MaxRetryError

from imagomortis_cli.doctor.checks.cluster import SeenJobs
from imagomortis_cli.doctor.finding import Level
from imagomortis_pipeline.upkeep import janitor
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only

pytestmark = pytest.mark.slow


class Refused(Exception):
    """What the Kubernetes client raises where an account may not."""

    reason = "Forbidden"


class NoAccount(Exception):
    """What it raises outside a pod, or in one without an account's token."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the Kubernetes client, which only the image has."""
    modules = {"kubernetes.client": {"ApiException": Refused}, "kubernetes.config": {"ConfigException": NoAccount}}
    for name, values in {"kubernetes": {}, **modules}.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)


class Jobs:
    """One Job at work for so many seconds, of a run that nobody knows."""

    def __init__(self, seconds: float = 3600) -> None:
        self._seconds = seconds

    def at_work(self) -> list[janitor.Job]:
        return [janitor.Job("lost", "b1b8a0d4-6f43-4f10-9ae4-5c2f0d9c3f52", self._seconds)]


class TestJobs:
    def test_no_cluster_is_looked_at_unless_one_is_named(self, look: Look) -> None:
        only(look("jobs"), Level.SKIPPED)

    @pytest.mark.usefixtures("dagster")
    def test_without_kubectl_it_says_so(self, look: Look, tmp_path: Path) -> None:
        assert "kubectl" in only(look("jobs", namespace="pictures", PATH=str(tmp_path)), Level.UNSEEN).text

    @pytest.mark.usefixtures("dagster", "client")
    def test_in_a_pod_its_account_looks(self, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def cluster_jobs(namespace: str) -> Jobs:
            asked.append(namespace)
            return Jobs()

        monkeypatch.setattr(janitor, "cluster_jobs", cluster_jobs)
        found = only(look("jobs", IMAGOMORTIS_EXECUTOR="kubernetes", IMAGOMORTIS_NAMESPACE="pictures"))
        assert "removed lost" in found.text
        assert found.mend == "kubectl -n pictures delete job lost"
        assert set(asked) == {"pictures"}

    @pytest.mark.usefixtures("dagster", "client")
    def test_a_job_that_the_next_sweep_removes_is_no_trouble(self, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(janitor, "cluster_jobs", lambda _: Jobs(90))
        only(look("jobs", IMAGOMORTIS_EXECUTOR="kubernetes"), Level.FINE)

    @pytest.mark.usefixtures("dagster", "client")
    @pytest.mark.parametrize("fault", [Refused(), NoAccount(), MaxRetryError(None, "/")])  # type: ignore[arg-type]
    def test_a_pod_that_may_not_or_cannot_says_so(
        self, look: Look, monkeypatch: pytest.MonkeyPatch, fault: Exception
    ) -> None:
        def refuse(_: str) -> None:
            raise fault

        monkeypatch.setattr(janitor, "cluster_jobs", refuse)
        assert "kubectl" not in only(look("jobs", IMAGOMORTIS_EXECUTOR="kubernetes"), Level.UNSEEN).text

    def test_jobs_at_work_are_read_as_kubectl_shows_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        items = [_item("at-work"), _item("done", "Complete"), _item("failed", "Failed"), _item("held", "Suspended")]
        kubectl = tmp_path / "kubectl"
        kubectl.write_text(f"#!/bin/sh\necho '{json.dumps({'items': items})}'\n")
        kubectl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        jobs = SeenJobs("pictures").at_work()
        assert [(job.name, job.run_id) for job in jobs] == [("at-work", "run-1"), ("held", "run-1")]
        assert jobs[0].seconds > 86_400


def _item(name: str, condition: str = "") -> dict[str, Any]:
    """A Job as `kubectl get jobs -o json` shows it."""
    labels = {"dagster/run-id": "run-1", "app.kubernetes.io/name": "imagomortis"}
    status = {"conditions": [{"type": condition, "status": "True"}]} if condition else {"active": 1}
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-11-20T12:00:00Z"}, "status": status}
