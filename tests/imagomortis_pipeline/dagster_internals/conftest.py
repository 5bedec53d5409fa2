"""An API server of Kubernetes that takes Jobs, and an instance whose runs it gets."""

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
from dagster._core.test_utils import instance_for_test

from tests.deploy.manifests import base


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
def jobs() -> list[dict[str, Any]]:
    """The Jobs that were made."""
    ApiServer.jobs = []
    return ApiServer.jobs


@pytest.fixture
def cluster_instance(tmp_path: Path, jobs: list[dict[str, Any]]) -> Iterator[DagsterInstance]:
    """An instance with the launcher of the manifests."""
    with HTTPServer(("127.0.0.1", 0), ApiServer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
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
        thread.join()
