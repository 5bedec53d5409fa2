"""An installation in a cluster: applied as a person does, with what tests ask of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import yaml

from tests.support import failures
from tests.support.pictures import photo

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "deploy" / "k8s"

FROM_THE_README = f"{ROOT}/k8s/"
"""The folder as the README names it: a link to the manifests, which kubectl follows because of the slash."""

NAMESPACE = "imagomortis"
LOGGING = "imagomortis-logging"
"""The namespace of what reads the nodes' log files."""

HOST = "imagomortis.local"
DEPLOYMENTS = ("uploader", "api", "webui", "pusher", "scheduler", "dagster-webserver", "exporter")

INGRESS = os.environ.get("IMAGOMORTIS_TEST_INGRESS", "http://127.0.0.1:8080")
NODE_PORTS = os.environ.get("IMAGOMORTIS_TEST_NODE_PORTS", "127.0.0.1:30080 127.0.0.1:30081 127.0.0.1:30082").split()
"""Where the ingress controller and the three node ports are, seen from here."""


LINGER_SECONDS = 2
"""How long an idle worker of the tests waits for more, so that the system is soon at rest."""


AWAIT_ROW = r"""
until [ "$(psql -XqAt -F "$(printf '\t')" -U postgres -d imagomortis -c "$2")" = "$1" ]; do sleep 0.3; done
"""
"""Takes a row, with tabs between its columns, and the statement that is to return it."""


class Refused(AssertionError):
    """A kubectl that failed, and what it said."""


def kubectl(*words: str, stdin: str | bytes | None = None, seconds: float = 120) -> str:
    """Run kubectl and return what it prints."""
    done = subprocess.run(
        ["kubectl", *words],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise Refused(f"kubectl {' '.join(words)}: {done.stderr.decode().strip() or done.stdout.decode().strip()}")
    return done.stdout.decode()


def until(check: Callable[[], Any], seconds: float, what: str | Callable[[], str], pause: float = 0.25) -> Any:
    """Return the first true answer of ``check``; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        if found := check():
            return found
        assert time.monotonic() < end, f"not within {seconds:g} s: {what() if callable(what) else what}"
        time.sleep(pause)


class Installation:
    """The installation in the namespace ``imagomortis``, reached from outside as people do."""

    def __init__(self) -> None:
        """Nothing is asked of the cluster yet."""
        self._client: httpx.Client | None = None
        self.kills: Counter[str] = Counter()
        """How often a test has killed each pod, by its UID; Kubernetes restarts its containers then."""
        failures.ask(self)

    def testify(self, folder: Path) -> None:
        """Write down what Kubernetes knows, and the last lines of each pod."""
        for kind in ("pods", "jobs", "events"):
            (folder / f"{kind}.txt").write_text(self.kubectl("get", kind, "-o", "wide"))
        for pod in self.kubectl("get", "pods", "-o", "name").split():
            told = subprocess.run(
                ["kubectl", "--namespace", NAMESPACE, "logs", pod, "--all-containers", "--tail=500"],
                capture_output=True,
                timeout=30,
                check=False,
            )
            (folder / f"{pod.partition('/')[2]}.log").write_bytes(told.stdout + told.stderr)

    # --- the installation

    def apply(self, folder: Path | str = FROM_THE_README) -> str:
        """Apply the manifests, as the README says; return what kubectl tells."""
        return kubectl("apply", "-f", str(folder))

    def remove(self, *how: str) -> None:
        """Remove everything, data and all, as documented; its pods, which nobody needs any more, end at once."""

        def are_gone() -> bool:
            for namespace in (NAMESPACE, LOGGING):
                kubectl("-n", namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
            return not self.exists()

        with ThreadPoolExecutor(1) as threads:
            removal = threads.submit(kubectl, "delete", "-f", str(MANIFESTS), *how, seconds=600)
            until(are_gone, 300, "the namespaces are gone", pause=1)
        removal.result()
        self.forget()

    def exists(self) -> bool:
        """Whether one of the namespaces is there."""
        return bool(kubectl("get", "namespace", NAMESPACE, LOGGING, "--ignore-not-found", "-o", "name").strip())

    def wait_until_ready(self, seconds: float = 400) -> float:
        """Wait for every Deployment and for Postgres; return how many seconds that took."""
        began = time.monotonic()
        self.set("IMAGOMORTIS_LINGER_SECONDS", str(LINGER_SECONDS))
        names = [f"deployment/{name}" for name in DEPLOYMENTS]
        for name in ("statefulset/postgres", *names):
            left = max(1.0, seconds - (time.monotonic() - began))
            self.kubectl("rollout", "status", name, f"--timeout={left:.0f}s", seconds=left + 5)
        until(lambda: self.get_status("/readyz") == 200, 120, "the ingress leads to the API")
        return time.monotonic() - began

    def forget(self) -> None:
        """Read the token anew when it is needed next."""
        if self._client:
            self._client.close()
        self._client = None

    @staticmethod
    def kubectl(*words: str, stdin: str | bytes | None = None, seconds: float = 120) -> str:
        """Run kubectl in the installation's namespace."""
        return kubectl("--namespace", NAMESPACE, *words, stdin=stdin, seconds=seconds)

    def wait_for_secrets(self) -> None:
        """Wait until the bootstrap has made the Secrets; pods mount them up to two minutes later."""
        bootstrap = ("job", "-l", "app.kubernetes.io/component=bootstrap")
        self.kubectl("wait", "--for=condition=complete", *bootstrap, "--timeout=300s", seconds=310)

    def create(self, document: Mapping[str, Any]) -> None:
        """Create an object."""
        self.kubectl("create", "-f", "-", stdin=json.dumps(document))

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """Return the Jobs of Dagster's runs and steps."""
        return self.list("jobs", "dagster/run-id")

    def sql(self, statement: str, database: str = "imagomortis") -> list[list[str]]:
        """Return the rows of a statement, run in the database's pod."""
        words = ["exec", "postgres-0", "--", "psql", "-XqAt", "-F", "\t", "-U", "postgres", "-d", database]
        text = self.kubectl(*words, "-v", "ON_ERROR_STOP=1", "-c", statement)
        return [line.split("\t") for line in text.splitlines() if line]

    def set(self, name: str, value: str | None) -> None:
        """Set a setting that runs and their steps read when they start; None takes it back."""
        patch = {"data": {name: value}}
        self.kubectl("patch", "configmap", "imagomortis", "--type=merge", "-p", json.dumps(patch))

    def settle(self, seconds: float = 240) -> None:
        """Wait until no picture waits and no worker is there: the system is cold."""
        self.wait_for_row(
            "SELECT (SELECT count(*) FROM images WHERE state IN ('queued', 'processing')), "
            "(SELECT count(*) FROM workers WHERE gone_at IS NULL)",
            ["0", "0"],
            seconds,
            "the system is at rest",
        )
        until(lambda: not any(is_at_work(job) for job in self.jobs()), seconds, "no Job is at work")

    def wait_for_row(self, statement: str, row: Sequence[str], seconds: float, what: str | Callable[[], str]) -> None:
        """Wait until a statement returns just this row. The database's pod asks, as many calls of kubectl cost more."""
        words = ["exec", "postgres-0", "--", "timeout", "20", "sh", "-c", AWAIT_ROW, "sh", "\t".join(row), statement]

        def is_there() -> bool:
            try:
                self.kubectl(*words)
            except Refused:  # not yet, or the database's pod is not there at the moment
                return False
            return True

        until(is_there, seconds, what)

    # --- what people do

    @property
    def token(self) -> str:
        """The access token, read by the README's line."""
        return base64.b64decode(self.kubectl("get", "secret", "access", "-o", "jsonpath={.data.token}")).decode()

    @property
    def client(self) -> httpx.Client:
        """A client of the ingress that brings the token."""
        if self._client is None:
            headers = {"Host": HOST, "Authorization": f"Bearer {self.token}"}
            self._client = httpx.Client(
                base_url=INGRESS, headers=headers, timeout=60, limits=httpx.Limits(max_connections=32)
            )
        return self._client

    def get_status(self, path: str) -> int:
        """Return the status of a GET at the ingress, 0 where nobody answers."""
        try:
            return self.client.get(f"/api{path}").status_code
        except (httpx.HTTPError, Refused):
            return 0

    def upload(self, data: bytes, name: str = "picture.jpg", seconds: float = 60) -> UUID:
        """Upload until it is accepted, as a patient client does; return the id."""
        end = time.monotonic() + seconds
        while True:
            try:
                answer = self.client.post("/upload", files={"file": (name, data, "image/jpeg")})
                if answer.status_code == 201:
                    return UUID(answer.json()["uuid"])
                problem = answer.text
            except httpx.HTTPError as error:
                problem = repr(error)
            assert time.monotonic() < end, f"not accepted within {seconds:g} s: {problem}"
            time.sleep(0.2)

    def upload_all(self, pictures: Sequence[bytes], threads: int = 8, seconds: float = 60) -> dict[UUID, bytes]:
        """Upload all of them, several at a time; return what was acknowledged."""
        with ThreadPoolExecutor(threads) as pool:
            ids = pool.map(lambda data: self.upload(data, seconds=seconds), pictures)
            return dict(zip(ids, pictures, strict=True))

    def states(self, ids: Iterable[UUID]) -> dict[str, int]:
        """Count some images by their state."""
        return {state: int(count) for state, count in self.sql(count_of_states(ids))}

    def wait_done(self, ids: Iterable[UUID], seconds: float = 120) -> float:
        """Wait until all of them are done; return how many seconds that took."""
        wanted, began = list(ids), time.monotonic()
        self.wait_for_row(
            count_of_states(wanted), ["done", str(len(wanted))], seconds, lambda: f"all done; {self.describe(wanted)}"
        )
        return time.monotonic() - began

    def processed(self, count: int = 4) -> dict[UUID, bytes]:
        """Return the latest pictures of a system at rest with their originals; upload some where there are too few."""
        latest = (
            "SELECT id FROM images WHERE state = 'done' AND deleted_at IS NULL "
            f"ORDER BY created_at DESC, id LIMIT {count}"
        )
        if len(self.sql(latest)) < count:
            self.wait_done(self.upload_all([photo(128, 96, seed=number) for number in range(count)]))
        self.settle()
        ids = [UUID(image_id) for (image_id,) in self.sql(latest)]
        return {image_id: self.client.get(f"/api/images/{image_id}/original").content for image_id in ids}

    def describe(self, ids: Iterable[UUID]) -> str:
        """Say how some images stand, and what the cluster looks like, for a test that failed."""
        try:
            return f"{self.states(ids)}\n{self.kubectl('get', 'pods')}"
        except Refused as error:
            return str(error)


def count_of_states(ids: Iterable[UUID]) -> str:
    """Return the statement that counts some images by their state."""
    wanted = ",".join(f"'{one}'" for one in ids)
    return f"SELECT state, count(*) FROM images WHERE id IN ({wanted}) GROUP BY 1"


def is_at_work(job: Mapping[str, Any]) -> bool:
    """Whether a Job has not ended."""
    conditions = job["status"].get("conditions") or []
    return not any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions)


def restart_count(pod: Mapping[str, Any]) -> int:
    """Return how often the container of a pod that was restarted most was, its init containers included."""
    status = pod["status"]
    containers = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
    return max((one["restartCount"] for one in containers), default=0)


def documents() -> list[dict[str, Any]]:
    """Return every object of the manifests."""
    texts = [path.read_text() for path in sorted(MANIFESTS.glob("*.yaml"))]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def nodes() -> list[str]:
    """Return the names of the cluster's nodes."""
    return [name.removeprefix("node/") for name in kubectl("get", "nodes", "-o", "name").split()]


def node_of(installation: Installation, part: str) -> str:
    """Return the node of a part's one pod that stays."""

    def found() -> list[dict[str, Any]]:
        pods = installation.list("pods", f"app.kubernetes.io/component={part}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName")]

    (pod,) = until(found, 120, f"{part} has a node")
    return str(pod["spec"]["nodeName"])
