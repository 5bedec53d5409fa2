"""Whether the cluster holds Jobs that nobody needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagomortis_cli.doctor.cluster import _has_ended, _job
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only


class TestJobs:
    def test_no_cluster_is_looked_at_unless_one_is_named(self, look: Look) -> None:
        only(look("jobs"), Level.SKIPPED)

    @pytest.mark.usefixtures("dagster")
    def test_without_kubectl_it_says_so(self, look: Look, tmp_path: Path) -> None:
        assert "kubectl" in only(look("jobs", namespace="pictures", PATH=str(tmp_path)), Level.UNSEEN).text

    def test_a_job_is_read_as_kubectl_shows_it(self) -> None:
        items = [_item("at-work"), _item("done", "Complete"), _item("failed", "Failed"), _item("held", "Suspended")]
        assert [item["metadata"]["name"] for item in items if not _has_ended(item)] == ["at-work", "held"]
        job = _job(items[0])
        assert (job.name, job.run_id) == ("at-work", "run-1")
        assert job.seconds > 86_400


def _item(name: str, condition: str = "") -> dict[str, Any]:
    """A Job as `kubectl get jobs -o json` shows it."""
    labels = {"dagster/run-id": "run-1", "app.kubernetes.io/name": "imagomortis"}
    status = {"conditions": [{"type": condition, "status": "True"}]} if condition else {"active": 1}
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-11-20T12:00:00Z"}, "status": status}
