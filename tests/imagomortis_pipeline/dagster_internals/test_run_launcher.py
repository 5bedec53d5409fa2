"""Which pod a run gets in the cluster, by the executor of the settings."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test, instance_for_test

from imagomortis_pipeline.image_task import PROCESS_IMAGES
from tests.deploy.manifests import base

CODE = RepositoryPythonOrigin(
    "python", ModuleCodePointer("imagomortis_pipeline.definitions", "definitions"), container_image="imagomortis:1"
)


class ApiServer(BaseHTTPRequestHandler):
    """Takes Jobs as Kubernetes does, and keeps them."""

    jobs: list[dict[str, Any]]

    def do_POST(self) -> None:
        assert self.path == "/apis/batch/v1/namespaces/imagomortis/jobs"
        job = self.rfile.read(int(self.headers["Content-Length"]))
        self.jobs.append(json.loads(job))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(job)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance with the launcher of the manifests."""
    ApiServer.jobs = []
    with HTTPServer(("127.0.0.1", 0), ApiServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kubeconfig = tmp_path / "kubeconfig"
        here = {"cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "here", **here}],
                    "users": [{"name": "here", "user": {}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
                    "current-context": "here",
                }
            )
        )
        given = base().dagster["run_launcher"]
        config = {**given["config"], "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
        with instance_for_test(overrides={"run_launcher": {**given, "config": config}}) as found:
            yield found
        server.shutdown()


def launched(instance: DagsterInstance) -> dict[str, Any]:
    """Launch a run; return the Job that was made for it."""
    run = create_run_for_test(instance, PROCESS_IMAGES, job_code_origin=JobPythonOrigin(PROCESS_IMAGES, CODE))
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    [job] = ApiServer.jobs
    assert job["metadata"]["labels"]["dagster/run-id"] == run.run_id, "by which janitor and pusher find it"
    return job


def test_a_run_that_makes_a_job_for_its_step_may_do_so(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_EXECUTOR", "kubernetes")
    pod = launched(instance)["spec"]["template"]
    assert pod["spec"]["serviceAccountName"] == "run"
    assert pod["spec"]["automountServiceAccountToken"] is True
    assert pod["metadata"]["labels"]["imagomortis/uses-kubernetes"] == "true"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def test_a_run_that_processes_images_itself_has_the_pod_of_an_image_task(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_EXECUTOR", "in_process")
    monkeypatch.setenv("IMAGOMORTIS_SANDBOX_MEMORY_BYTES", str(1024**3))
    job = launched(instance)
    pod = job["spec"]["template"]
    assert job["metadata"]["labels"]["app.kubernetes.io/component"] == "image-task"
    assert pod["spec"]["serviceAccountName"] == "image-task"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, "the rest is a run's"
    assert pod["metadata"]["labels"]["imagomortis/uses-kubernetes"] == "false"
    assert pod["metadata"]["labels"]["imagomortis/uses-postgres"] == "true"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "2048Mi"}
