"""The overlay `multi-node`: replicas that share a claim, and a Postgres elsewhere, named by two Secrets."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import ROOT, Installation, kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ELSEWHERE = "imagomortis-elsewhere"
"""The namespace of a Postgres that is not the installation's."""

PARTS = ("uploader", "api", "webui")

POSTGRES = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {ELSEWHERE}}}
---
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: {ELSEWHERE}}}
spec: {{selector: {{app: db}}, ports: [{{port: 5432}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: db, namespace: {ELSEWHERE}, labels: {{app: db}}}}
spec:
  containers:
    - name: postgres
      image: postgres:18-bookworm
      args: [-c, max_connections=200]
      env: [{{name: POSTGRES_PASSWORD, value: of-the-test}}]
      readinessProbe: {{exec: {{command: [pg_isready, --host, localhost]}}, periodSeconds: 1}}
"""


FOR_THE_FIRST_POD = "imagomortis-for-the-first-pod"
"""A StorageClass that makes a volume only for the first pod that uses it, as those of many clusters do."""

BACKUPS_OF_THE_FIRST_POD = f"""\
  - target: {{kind: PersistentVolumeClaim, name: backups}}
    patch: |
      - {{op: add, path: /spec/storageClassName, value: {FOR_THE_FIRST_POD}}}
"""


@pytest.fixture
def several(cluster: Installation, tmp_path: Path) -> Iterator[Installation]:
    """The overlay on a fresh namespace, its places of one's own filled in; nothing is left of it."""
    if cluster.exists():
        cluster.remove("--ignore-not-found", "--wait=false")
    kubectl("delete", "namespace", ELSEWHERE, "--ignore-not-found")
    try:
        kubectl("apply", "-f", "-", stdin=POSTGRES)
        kubectl("-n", ELSEWHERE, "wait", "--for=condition=Ready", "pod/db", "--timeout=110s")
        for name, database in (("imagomortis", "imagomortis"), ("dagster", "imagomortis_dagster")):
            elsewhere(f"CREATE ROLE {name} LOGIN PASSWORD 'of-the-test'")
            elsewhere(f"CREATE DATABASE {database} OWNER {name}")
        create_class_for_the_first_pod()
        kubectl("apply", "-f", str(ROOT / "deploy" / "k8s" / "00-namespace.yaml"))
        where = f"db.{ELSEWHERE}"
        secret("database", "DATABASE_URL", f"postgresql://imagomortis:of-the-test@{where}/imagomortis")
        secret(
            "dagster-database",
            "IMAGOMORTIS_DAGSTER_DATABASE_URL",
            f"postgresql+psycopg2://dagster:of-the-test@{where}/imagomortis_dagster",
        )
        kubectl("apply", "-k", str(overlay_of_ones_own(tmp_path)))
        cluster.wait_for_secrets()
        wait_until_ready(cluster)
        yield cluster
    finally:
        kubectl("delete", "namespace", ELSEWHERE, "--ignore-not-found", "--wait=false")
        cluster.remove("--ignore-not-found", "--wait=false")
        kubectl("delete", "storageclass", FOR_THE_FIRST_POD, "--ignore-not-found")


def overlay_of_ones_own(folder: Path) -> Path:
    """Copy the manifests, put this cluster's values where the overlay says "yours", and choose one Job per worker."""
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    overlay = folder / "deploy" / "overlays" / "multi-node"
    file = overlay / "kustomization.yaml"
    text = file.read_text()
    assert text.count("registry.example/") == 2
    assert text.count("read-write-many") == 1
    text = text.replace("registry.example/", "").replace("read-write-many", shared_class())
    file.write_text(text.replace("\npatches:\n", f"\npatches:\n{BACKUPS_OF_THE_FIRST_POD}"))
    settings = folder / "deploy" / "k8s" / "03-settings.yaml"
    text = settings.read_text()
    assert "IMAGOMORTIS_EXECUTOR: kubernetes" in text
    settings.write_text(text.replace("IMAGOMORTIS_EXECUTOR: kubernetes", "IMAGOMORTIS_EXECUTOR: in_process"))
    return overlay


def shared_class() -> str:
    """Return the name of a StorageClass for the claim that all nodes mount; with one node the default one does."""
    return os.environ.get("IMAGOMORTIS_TEST_SHARED_CLASS") or str(default_class()["metadata"]["name"])


def default_class() -> dict[str, Any]:
    """Return the cluster's default StorageClass."""
    (found,) = [
        one
        for one in json.loads(kubectl("get", "storageclasses", "-o", "json"))["items"]
        if one["metadata"].get("annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    return dict(found)


def create_class_for_the_first_pod() -> None:
    """Create a StorageClass like the default one, except for when it makes a volume."""
    own = {"metadata": {"name": FOR_THE_FIRST_POD}, "volumeBindingMode": "WaitForFirstConsumer"}
    kubectl("apply", "-f", "-", stdin=json.dumps(default_class() | own))


def secret(name: str, key: str, value: str) -> None:
    Installation.kubectl("create", "secret", "generic", name, f"--from-literal={key}={value}")


def elsewhere(statement: str) -> None:
    kubectl("-n", ELSEWHERE, "exec", "db", "--", "psql", "-qU", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statement)


def wait_until_ready(installation: Installation) -> None:
    for part in (*PARTS, "pusher", "scheduler", "dagster-webserver"):
        installation.kubectl("rollout", "status", f"deployment/{part}", "--timeout=400s", seconds=410)
    until(lambda: installation.get_status("/readyz") == 200, 120, "the ingress leads to the API")


def state(installation: Installation, image_id: UUID) -> str:
    """Return the state of a picture, or what kept the API from telling it, as one in the spool is in no catalog."""
    try:
        answer = installation.client.get(f"/api/images/{image_id}/info")
    except httpx.HTTPError as error:
        return repr(error)
    return str(answer.json()["state"] if answer.status_code == 200 else answer.status_code)


def original(installation: Installation, image_id: UUID) -> bytes | None:
    """Return the original of a picture; None where a replica that ends does not answer."""
    try:
        answer = installation.client.get(f"/api/images/{image_id}/original")
    except httpx.HTTPError:
        return None
    return answer.content if answer.status_code == 200 else None


def test_replicas_and_a_postgres_elsewhere(several: Installation, tell: Tell) -> None:
    """Pictures that came in at any of the uploaders are processed; none is lost when replicas are taken away."""
    for part in PARTS:
        ready = [
            pod
            for pod in several.list("pods", f"app.kubernetes.io/component={part}")
            if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])
        ]
        assert len(ready) == 3, part
    assert not several.list("statefulsets", "app.kubernetes.io/component=postgres")
    claim = json.loads(several.kubectl("get", "persistentvolumeclaim", "shared", "-o", "json"))
    assert claim["status"]["accessModes"] == ["ReadWriteMany"]
    several.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "persistentvolumeclaims", "--all", "--timeout=100s")

    acknowledged = several.upload_all([photo(96, 64, seed=number) for number in range(12)], threads=4)
    for part in PARTS:
        pod = several.list("pods", f"app.kubernetes.io/component={part}")[0]["metadata"]["name"]
        several.kubectl("delete", "pod", pod, "--wait=false")
    acknowledged |= several.upload_all([photo(96, 64, seed=number) for number in range(12, 24)], threads=4)
    until(
        lambda: all(state(several, one) == "done" for one in acknowledged),
        240,
        lambda: f"{[state(several, one) for one in acknowledged]}",
    )
    for image_id, data in acknowledged.items():
        assert until(lambda one=image_id: original(several, one), 60, "the original") == data
    made = several.jobs()
    assert {job["spec"]["template"]["spec"]["serviceAccountName"] for job in made} == {"image-task"}
    assert len({job["metadata"]["labels"]["dagster/run-id"] for job in made}) == len(made), "one Job for each run"
    tell(f"multi-node: {len(acknowledged)} pictures through {', '.join(f'3 {part}s' for part in PARTS)}")
