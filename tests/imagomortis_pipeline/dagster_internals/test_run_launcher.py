"""Which pod a run gets in the cluster, by the executor of the settings."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import DagsterInstance
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test

from imagomortis_pipeline.image_task.job import PROCESS_IMAGES

CODE = RepositoryPythonOrigin(
    "python", ModuleCodePointer("imagomortis_pipeline.definitions", "definitions"), container_image="imagomortis:1"
)


def launched(instance: DagsterInstance, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Launch a run; return the Job that was made for it."""
    run = create_run_for_test(instance, PROCESS_IMAGES, job_code_origin=JobPythonOrigin(PROCESS_IMAGES, CODE))
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    [job] = jobs
    assert job["metadata"]["labels"]["dagster/run-id"] == run.run_id, "by which janitor and pusher find it"
    return job


def test_a_run_that_makes_a_job_for_its_step_may_do_so(
    cluster_instance: DagsterInstance, jobs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_EXECUTOR", "kubernetes")
    pod = launched(cluster_instance, jobs)["spec"]["template"]
    assert pod["spec"]["serviceAccountName"] == "run"
    assert pod["spec"]["automountServiceAccountToken"] is True
    assert pod["metadata"]["labels"]["imagomortis/uses-kubernetes"] == "true"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert {"name": "database-ca", "configMap": {"name": "database-ca", "optional": True}} in pod["spec"]["volumes"]


def test_a_run_that_processes_images_itself_has_the_pod_of_an_image_task(
    cluster_instance: DagsterInstance, jobs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_EXECUTOR", "in_process")
    monkeypatch.setenv("IMAGOMORTIS_SANDBOX_MEMORY_BYTES", str(1024**3))
    job = launched(cluster_instance, jobs)
    pod = job["spec"]["template"]
    assert job["metadata"]["labels"]["app.kubernetes.io/component"] == "image-task"
    assert pod["spec"]["serviceAccountName"] == "image-task"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, "the rest is a run's"
    assert pod["metadata"]["labels"]["imagomortis/uses-kubernetes"] == "false"
    assert pod["metadata"]["labels"]["imagomortis/uses-postgres"] == "true"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "2048Mi"}
