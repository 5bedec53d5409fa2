"""The overlay `multi-node`: replicas without a shared volume, and a Postgres and an S3 server elsewhere.

With several nodes, each of them is lost in turn while pictures come in.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import (
    ROOT,
    Installation,
    Refused,
    count_of_states,
    kubectl,
    nodes,
    until,
)
from tests.whole_system.cluster.node_faults import HEAL_NODE, PARTITION_NODE, START_NODE, STOP_NODE, UNTIL_NOTICED
from tests.whole_system.cluster.uploads import Uploads

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ELSEWHERE = "storage"
"""The namespace of a Postgres and an S3 server that are not the installation's, as the overlay names the latter."""

PARTS = ("uploader", "api", "webui")

COUNT = 2_000
"""How many pictures come in while nodes are lost, at least."""

LONGEST_UPLOAD_SECONDS, DONE_SECONDS = 100.0, 300.0
"""Limits of an upload, and from the last fault until all pictures are done: five times what is wanted."""

PASSWORD = "of-the-test"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": PASSWORD, "AWS_REGION": "us-east-1"}


def services(node: str) -> str:
    """Return both servers, on one node; what they have written outlives its loss."""
    return f"""
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
  nodeName: {node}
  tolerations: [{{operator: Exists}}]
  containers:
    - name: postgres
      image: postgres:18-bookworm
      args: [-c, max_connections=200]
      env: [{{name: POSTGRES_PASSWORD, value: {PASSWORD}}}]
      readinessProbe: {{exec: {{command: [pg_isready, --host, localhost]}}, periodSeconds: 1}}
      volumeMounts: [{{name: data, mountPath: /var/lib/postgresql}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: seaweedfs, namespace: {ELSEWHERE}}}
spec: {{selector: {{app: seaweedfs}}, ports: [{{port: 8333}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: seaweedfs, namespace: {ELSEWHERE}, labels: {{app: seaweedfs}}}}
spec:
  nodeName: {node}
  tolerations: [{{operator: Exists}}]
  containers:
    - name: seaweedfs
      image: postgres:18-bookworm # of any system; the program comes from the tests' own environment
      command:
        - bash
        - -c
        - >-
          until [ -e /data/weed ]; do sleep 0.2; done;
          exec /data/weed mini -dir=/data -bucket=pictures -ip.bind=0.0.0.0
          -admin.ui=false -webdav=false -s3.iam=false -master.telemetry=false
      env: [{{name: AWS_ACCESS_KEY_ID, value: key}}, {{name: AWS_SECRET_ACCESS_KEY, value: {PASSWORD}}}]
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
"""


FOR_THE_FIRST_POD = "imagomortis-for-the-first-pod"
"""A StorageClass that makes a volume only for the first pod that uses it, as those of many clusters do."""

BACKUPS_OF_THE_FIRST_POD = f"""\
  - target: {{kind: PersistentVolumeClaim, name: backups}}
    patch: |
      - {{op: add, path: /spec/storageClassName, value: {FOR_THE_FIRST_POD}}}
"""


@pytest.fixture(scope="module")
def several(cluster: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The overlays on a fresh namespace, its places of one's own filled in; nothing is left of it."""
    if cluster.exists():
        cluster.remove("--ignore-not-found", "--wait=false")
    kubectl("delete", "namespace", ELSEWHERE, "--ignore-not-found")
    try:
        serve(nodes()[0])
        for name, database in (("imagomortis", "imagomortis"), ("dagster", "imagomortis_dagster")):
            elsewhere(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
            elsewhere(f"CREATE DATABASE {database} OWNER {name}")
        create_class_for_the_first_pod()
        kubectl("apply", "-f", str(ROOT / "deploy" / "k8s" / "00-namespace.yaml"))
        postgres = f"db.{ELSEWHERE}"
        secret("database", DATABASE_URL=f"postgresql://imagomortis:{PASSWORD}@{postgres}/imagomortis")
        dagster = f"postgresql+psycopg2://dagster:{PASSWORD}@{postgres}/imagomortis_dagster"
        secret("dagster-database", IMAGOMORTIS_DAGSTER_DATABASE_URL=dagster)
        secret("storage", **CREDENTIALS)
        kubectl("apply", "-k", str(overlay_of_ones_own(tmp_path_factory.mktemp("several"))))
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
    text = text.replace("registry.example/", "")
    file.write_text(text.replace("\npatches:\n", f"\npatches:\n{BACKUPS_OF_THE_FIRST_POD}"))
    settings = folder / "deploy" / "k8s" / "03-settings.yaml"
    text = settings.read_text()
    assert "IMAGOMORTIS_EXECUTOR: kubernetes" in text
    settings.write_text(text.replace("IMAGOMORTIS_EXECUTOR: kubernetes", "IMAGOMORTIS_EXECUTOR: in_process"))
    return overlay


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


def secret(name: str, **values: str) -> None:
    words = [f"--from-literal={key}={value}" for key, value in values.items()]
    Installation.kubectl("create", "secret", "generic", name, *words)


def serve(node: str) -> None:
    """Run both servers; the program of the second is copied into its pod, under another name until it is whole."""
    kubectl("apply", "-f", "-", stdin=services(node))
    kubectl("-n", ELSEWHERE, "wait", "--for=condition=Ready", "pod/db", "pod/seaweedfs", "--timeout=110s")
    program = Path(sys.executable).with_name("weed").read_bytes()
    copy = "cat > /data/part && chmod +x /data/part && mv /data/part /data/weed"
    kubectl("-n", ELSEWHERE, "exec", "-i", "seaweedfs", "--", "sh", "-c", copy, stdin=program)


def elsewhere(statement: str, database: str = "postgres") -> list[list[str]]:
    """Return the rows of a statement in the Postgres elsewhere."""
    words = ("psql", "-XqAt", "-F", "\t", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1")
    text = kubectl("-n", ELSEWHERE, "exec", "-i", "db", "--", *words, stdin=statement)
    return [line.split("\t") for line in text.splitlines() if line]


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
    assert "shared" not in several.kubectl("get", "persistentvolumeclaims", "-o", "name")
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


@pytest.mark.several_nodes
def test_each_node_is_lost_in_turn_while_pictures_come_in(several: Installation, tell: Tell) -> None:
    """Every acknowledged picture is done, and its original is the file that was sent."""
    first, *others = nodes()
    with Uploads(several) as uploads:
        uploads.wait_for(COUNT // 4)
        uploads.lose(first, STOP_NODE, START_NODE)
        for node in others:
            uploads.lose(node, STOP_NODE, START_NODE, UNTIL_NOTICED)
        uploads.lose(others[-1], PARTITION_NODE, HEAL_NODE, UNTIL_NOTICED)
        ended = time.monotonic()
        uploads.wait_for(COUNT)
    wait_done(uploads.acknowledged)
    done = time.monotonic() - ended
    tell(
        f"each of {len(nodes())} nodes lost, one cut off: {len(uploads.acknowledged)} pictures are done {done:.1f} s "
        f"after the last fault; an upload took at most {uploads.slowest:.1f} s"
    )
    for image_id, data in uploads.acknowledged.items():
        assert until(lambda one=image_id: original(several, one), 60, "the original") == data
    assert uploads.slowest <= LONGEST_UPLOAD_SECONDS
    assert done <= DONE_SECONDS


def wait_done(ids: dict[UUID, bytes], seconds: float = 600) -> None:
    """Wait until all of these images are done."""
    states: list[list[str]] = []

    def are_done() -> bool:
        nonlocal states
        try:
            states = elsewhere(count_of_states(ids), "imagomortis")
        except Refused as error:
            states = [[str(error)]]
        return states == [["done", str(len(ids))]]

    until(are_done, seconds, lambda: f"{states}", pause=1)
