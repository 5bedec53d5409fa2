"""Three nodes: one is lost with its workers, one is emptied, one is cut off. All that was accepted is processed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import ROOT, Installation, Refused, kubectl, node_of, nodes, until
from tests.whole_system.cluster.node_faults import HEAL_NODE, PARTITION_NODE, SHARED_CLASS, START_NODE, STOP_NODE, do

pytestmark = [pytest.mark.cluster, pytest.mark.several_nodes, pytest.mark.timeout(1800)]

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
"""The taint by which a person says that a node is off, so that its StatefulSets' pods may start elsewhere."""

OVERLAY = f"""
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../k8s]
patches:
  - target: {{kind: PersistentVolumeClaim}}
    patch: |
      - {{op: add, path: /spec/storageClassName, value: {SHARED_CLASS}}}
  - target: {{kind: StatefulSet}}
    patch: |
      - {{op: add, path: /spec/volumeClaimTemplates/0/spec/storageClassName, value: {SHARED_CLASS}}}
"""

UPLOADS_BACK_SECONDS = 150.0
"""Limit from the end of a drain until uploads are accepted; the test prints how long it took."""


@pytest.fixture(scope="module")
def empty_node() -> str:
    """The node that has no part of the installation at first, nor the way into the cluster."""
    return nodes()[-1]


@pytest.fixture(scope="module")
def spread(cluster: Installation, empty_node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The plain installation, with volumes that all nodes have; nothing is left of it."""
    folder = tmp_path_factory.mktemp("spread")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    overlay = folder / "deploy" / "overlays" / "spread"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(OVERLAY)
    if cluster.exists():
        cluster.remove("--ignore-not-found", "--wait=false")
    kubectl("cordon", empty_node)
    try:
        kubectl("apply", "-k", str(overlay))
        cluster.wait_for_secrets()
        cluster.wait_until_ready()
        kubectl("uncordon", empty_node)
        yield cluster
    finally:
        kubectl("uncordon", empty_node)
        cluster.remove("--ignore-not-found", "--wait=false")


def test_a_lost_nodes_pictures_are_processed_by_workers_elsewhere(
    spread: Installation, empty_node: str, tell: Tell
) -> None:
    others = [name for name in nodes() if name != empty_node]
    pictures = [photo(3000, 2000, seed=number) for number in range(4)] * 30
    kubectl("cordon", *others)
    try:
        acknowledged = spread.upload_all(pictures)
        until(lambda: worker_on(spread, empty_node), 300, "a worker is on the node")
        do(STOP_NODE, empty_node)
        assert spread.states(acknowledged).get("done", 0) < len(acknowledged), "the node was lost while it worked"
        kubectl("uncordon", *others)
        seconds = spread.wait_done(acknowledged, 900)
    finally:
        kubectl("uncordon", *others)
        do(START_NODE, empty_node)
    tell(f"a lost node: {len(acknowledged)} pictures are done {seconds:.1f} s after it")


def test_uploads_go_on_after_their_node_was_emptied(spread: Installation, tell: Tell) -> None:
    acknowledged = spread.upload_all([photo(96, 64, seed=number) for number in range(8)])
    node = node_of(spread, "uploader")
    assert node_of(spread, "pusher") == node
    try:
        kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s", seconds=310)
        drained = time.monotonic()
        acknowledged |= spread.upload_all([photo(96, 64, seed=number) for number in range(8, 12)], seconds=300)
        back = time.monotonic() - drained
        spread.wait_done(acknowledged, 400)
        assert node_of(spread, "uploader") == node_of(spread, "pusher") != node
    finally:
        kubectl("uncordon", node)
    for image_id, data in acknowledged.items():
        assert spread.client.get(f"/api/images/{image_id}/original").content == data
    tell(f"a drained node: uploads are back {back:.1f} s after the drain")
    assert back <= UPLOADS_BACK_SECONDS


@pytest.fixture
def cut_off(spread: Installation, empty_node: str) -> Iterator[Callable[[str], None]]:
    """Moves a part's pod to one node and cuts that node off; afterwards all nodes are connected."""

    def move_and_cut(part: str) -> None:
        others = [name for name in nodes() if name != empty_node]
        kubectl("cordon", *others)
        try:
            spread.kubectl("delete", "pod", "-l", f"app.kubernetes.io/component={part}")
            until(lambda: node_of(spread, part) == empty_node, 120, f"{part} is on {empty_node}")
            spread.wait_until_ready()
        finally:
            kubectl("uncordon", *others)
        do(PARTITION_NODE, empty_node)

    yield move_and_cut
    do(HEAL_NODE, empty_node)


def test_a_daemon_that_is_cut_off_has_a_successor_and_ends(
    spread: Installation, cut_off: Callable[[str], None], empty_node: str, tell: Tell
) -> None:
    """It works on and cannot know. The other one launches runs as soon as Postgres has let go of the lock."""
    cut_off("scheduler")
    began = time.monotonic()
    until(lambda: node_of(spread, "scheduler") != empty_node, 300, "another scheduler has a node")
    spread.wait_done([spread.upload(photo(96, 64), seconds=300)], 400)
    tell(f"a daemon cut off: a picture is done by a run of its successor {time.monotonic() - began:.1f} s later")
    do(HEAL_NODE, empty_node)
    scheduler = "app.kubernetes.io/component=scheduler"
    until(lambda: len(spread.list("pods", scheduler)) == 1, 120, lambda: spread.kubectl("get", "pods", "-l", scheduler))
    spread.wait_done([spread.upload(photo(96, 64))], 400)


def test_a_postgres_that_is_cut_off_keeps_its_volume_until_it_ends(
    spread: Installation, cut_off: Callable[[str], None], empty_node: str, tell: Tell
) -> None:
    """A person says that its node is off, which is wrong. The pod that replaces it waits for the volume's lock."""
    acknowledged = spread.upload_all([photo(96, 64, seed=number) for number in range(4)])
    spread.wait_done(acknowledged, 400)
    spread.settle()
    cut_off("postgres")
    kubectl("taint", "node", empty_node, OUT_OF_SERVICE)
    try:
        until(lambda: node_of(spread, "postgres") != empty_node, 300, "another Postgres has a node")
        waits = "another server has this volume"
        until(lambda: waits in log_of_postgres(spread), 120, "it waits")
        assert "ready to accept connections" not in log_of_postgres(spread)
        do(HEAL_NODE, empty_node)
    finally:
        kubectl("taint", "node", empty_node, f"{OUT_OF_SERVICE}-")
    healed = time.monotonic()
    spread.wait_until_ready()
    acknowledged |= spread.upload_all([photo(96, 64, seed=4)], seconds=300)
    spread.wait_done(acknowledged, 400)
    tell(f"a Postgres cut off: its successor works {time.monotonic() - healed:.1f} s after the node is back")


def log_of_postgres(installation: Installation) -> str:
    """Return the lines of the pod that Kubernetes knows as Postgres; none while it has no container."""
    try:
        return installation.kubectl("logs", "postgres-0")
    except Refused:
        return ""


def worker_on(installation: Installation, node: str) -> bool:
    """Whether a worker on that node holds pictures."""
    pods = installation.list("pods", "app.kubernetes.io/component=image-task")
    is_there = any(pod["spec"].get("nodeName") == node and pod["status"]["phase"] == "Running" for pod in pods)
    return is_there and bool(installation.sql("SELECT 1 FROM images WHERE state = 'processing' LIMIT 1"))
