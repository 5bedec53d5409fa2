"""What the system survives in a cluster: pods that are deleted or killed at any moment, and all of them at once."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from imagomortis.settings import MIB
from imagomortis_http.problems import MEDIA_TYPE as PROBLEM
from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.faults.killer import Killer
from tests.whole_system.cluster.installation import (
    DEPLOYMENTS,
    Installation,
    Refused,
    is_at_work,
    node_of,
    restart_count,
    until,
)
from tests.whole_system.cluster.node_faults import START_NODE, STOP_NODE, UNTIL_NOTICED
from tests.whole_system.cluster.uploads import Uploads

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("IMAGOMORTIS_TEST_ROUNDS", "2"))
SEED = int(os.environ.get("IMAGOMORTIS_TEST_SEED", "0"))
"""How many rounds there are, and the seed of the first one; two of them strike everything once."""

UPLOADS = 100
"""How many pictures a round uploads at least."""

PAUSE_SECONDS = (0.8, 2.5)
"""The shortest and the longest time from one fault to the next."""

KINDS = (*DEPLOYMENTS, "postgres", "run", "image-task")
"""The component of each kind of pod."""

RECOVERY_SECONDS = 300.0
"""Limit from the last fault until everything is done; the tests print how long it took."""

ORPHAN_SECONDS = 300.0
"""Limit until the janitor has removed what is orphaned: it sweeps every minute, and spares Jobs of the last 30 s."""


class Chaos:
    """Kills or deletes pods, one of a kind after the other, until all of a round's plan is done."""

    def __init__(self, installation: Installation, killer: Killer, seed: int) -> None:
        """Take the seed, so that a round that failed can be repeated."""
        self._installation = installation
        self._killer = killer
        self._chance = random.Random(seed)
        self._plan = plan(seed)
        self.faults: list[str] = []
        self.last_fault = 0.0

    def strike(self) -> None:
        """Do the first of the plan for which there is a pod."""
        pods = [pod for pod in self._installation.list("pods") if is_alive(pod)]
        for how, kind in self._plan:
            found = [pod for pod in pods if pod["metadata"]["labels"].get("app.kubernetes.io/component") == kind]
            if found and self._hit(how, self._chance.choice(found)):
                self._plan.remove((how, kind))
                self.faults.append(f"{how} {kind}")
                self.last_fault = time.monotonic()
                return

    def _hit(self, how: str, pod: Mapping[str, Any]) -> bool:
        """Kill or delete a pod; return whether there was anything to kill."""
        if how == "deleted":
            self._remove(pod)
            return True
        if not self._killer.kill(pod):
            return False
        if restart_count(pod):  # Kubernetes would wait before it restarts a container again, longer each time
            self._remove(pod, "--grace-period=0", "--force")
        return True

    def _remove(self, pod: Mapping[str, Any], *how: str) -> None:
        name = pod["metadata"]["name"]
        self._installation.kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found", *how)

    @contextmanager
    def raging(self) -> Iterator[threading.Event]:
        """Strike during a block, which gets an event that is set in the end; raise what kept it from striking."""
        over = threading.Event()
        end = time.monotonic() + 480

        def rage() -> None:
            try:
                while self._plan:
                    assert time.monotonic() < end, f"no pod to strike for {self._plan}"
                    self.strike()
                    time.sleep(self._chance.uniform(*PAUSE_SECONDS))
            finally:
                over.set()

        with ThreadPoolExecutor(1) as pool:
            raging = pool.submit(rage)
            yield over
        raging.result()


def plan(seed: int) -> list[tuple[str, str]]:
    """Return what to do to which kind in a round, in order: an even seed's and the next one's are all that there is."""
    order = [(how, kind) for kind in KINDS for how in ("killed", "deleted")]
    random.Random(seed // 2).shuffle(order)
    return order[seed % 2 :: 2]


def is_alive(pod: Mapping[str, Any]) -> bool:
    """Whether a pod runs or is about to, and is not being deleted."""
    return pod["status"]["phase"] in {"Pending", "Running"} and "deletionTimestamp" not in pod["metadata"]


@pytest.fixture(scope="module")
def killer(installation: Installation) -> Iterator[Killer]:
    """What can kill; removed afterwards."""
    found = Killer(installation)
    try:
        found.start()
        yield found
    finally:
        found.remove()


@pytest.fixture(scope="module")
def orphan(installation: Installation) -> str:
    """A Job that is at work although there is no such run."""
    name = "dagster-run-orphan"
    labels = {"dagster/run-id": "00000000-0000-0000-0000-000000000000"}
    container = {"name": "one", "image": "imagomortis:0.1.0"}
    installation.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": labels},
            "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        }
    )
    assert name in orphans(installation)
    return name


@pytest.mark.usefixtures("orphan")  # the next test's, so that a sweep takes it meanwhile
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_nothing_is_lost_when_pods_go(
    installation: Installation, killer: Killer, small_pictures: list[bytes], seed: int, tell: Tell
) -> None:
    """Every acknowledged picture is done in time, its original as it was sent, in exactly one row."""
    chaos = Chaos(installation, killer, seed)
    acknowledged: dict[UUID, bytes] = {}
    with chaos.raging() as over:
        while len(acknowledged) < UPLOADS or not over.is_set():
            acknowledged |= installation.upload_all(small_pictures[:10], threads=2, seconds=240)
    try:
        installation.wait_done(acknowledged, RECOVERY_SECONDS)
    finally:
        taken = time.monotonic() - chaos.last_fault
        tell(
            f"round {seed}: {', '.join(chaos.faults)}; {len(acknowledged)} pictures, {taken:.0f} s after the last fault"
        )
    assert_as_sent(installation, acknowledged)


def test_no_job_stays_orphaned(installation: Installation, orphan: str, tell: Tell) -> None:
    """The janitor's sweeps leave no Job at work for a run that is over or unknown; then none is at work at all."""
    tell(f"{len(orphans(installation) - {orphan})} Jobs were orphaned after the last round")
    until(lambda: not orphans(installation), ORPHAN_SECONDS, lambda: f"the Jobs {orphans(installation)} are gone")
    installation.settle(seconds=300)


def orphans(installation: Installation) -> set[str]:
    """Return the names of the Jobs at work whose run is over or unknown."""
    jobs = [job["metadata"] for job in installation.jobs() if is_at_work(job)]
    open_runs = installation.sql(
        "SELECT run_id FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')", "imagomortis_dagster"
    )
    return {job["name"] for job in jobs if [job["labels"]["dagster/run-id"]] not in open_runs}


def test_a_step_whose_pod_goes_before_it_began_is_made_good(cold: Installation, tell: Tell) -> None:
    """Its worker never said a word, so the run itself must notice; there is nothing to kill yet."""
    acknowledged = {cold.upload(data := photo(64, 48, seed=11)): data}
    run_id = remove_a_step(cold)
    tell(f"a step's pod removed as it began: {cold.wait_done(acknowledged, RECOVERY_SECONDS):.0f} s")
    assert_as_sent(cold, acknowledged)
    assert run_id not in runs_of(cold, acknowledged)


def test_a_run_that_begins_while_postgres_goes_is_made_good(cold: Installation, tell: Tell) -> None:
    """Postgres ends while the run starts its step, whose pod is removed when Postgres is about to be back."""
    acknowledged = {cold.upload(data := photo(64, 48, seed=12)): data}
    wait_for_a_pod(cold, "run")
    cold.kubectl("delete", "pod", "postgres-0", "--wait=false")
    run_id = remove_a_step(cold)
    tell(f"Postgres deleted as a run began, its step removed: {cold.wait_done(acknowledged, RECOVERY_SECONDS):.0f} s")
    assert_as_sent(cold, acknowledged)
    assert run_id not in runs_of(cold, acknowledged)


def wait_for_a_pod(cold: Installation, component: str) -> dict[str, Any]:
    """Return the first pod of a component that has not ended; those of earlier tests have."""
    pod: dict[str, Any] = until(
        lambda: next(filter(is_alive, cold.list("pods", f"app.kubernetes.io/component={component}")), None),
        180,
        f"a pod of {component}",
        pause=0.05,
    )
    return pod


def remove_a_step(cold: Installation) -> str:
    """Remove a step's pod as soon as there is one; return its run."""
    pod = wait_for_a_pod(cold, "image-task")["metadata"]
    cold.kubectl("delete", "pod", pod["name"], "--grace-period=0", "--force", "--ignore-not-found")
    return str(pod["labels"]["dagster/run-id"])


def runs_of(installation: Installation, ids: Iterable[UUID]) -> set[str]:
    """Return the runs that did some pictures."""
    wanted = ",".join(f"'{one}'" for one in ids)
    return {run for (run,) in installation.sql(f"SELECT run_id FROM images WHERE id IN ({wanted})")}


def assert_as_sent(installation: Installation, acknowledged: dict[UUID, bytes]) -> None:
    wanted = ",".join(f"'{one}'" for one in acknowledged)
    rows = installation.sql(
        f"SELECT image_id, encode(sha256(bytes), 'hex') FROM originals WHERE image_id IN ({wanted})"
    )
    assert sorted(rows) == sorted([str(one), hashlib.sha256(data).hexdigest()] for one, data in acknowledged.items())


def test_all_pods_at_once(installation: Installation, killer: Killer, small_pictures: list[bytes], tell: Tell) -> None:
    """As when a node loses its power: what was acknowledged is done, and everything answers again."""
    acknowledged = installation.upload_all(small_pictures[:40], threads=4)
    assert killer.kill(*installation.list("pods"), whole=True) > 2 * len(DEPLOYMENTS)
    began = time.monotonic()
    acknowledged |= installation.upload_all(small_pictures[40:], threads=2, seconds=240)
    installation.wait_done(acknowledged, RECOVERY_SECONDS)
    installation.wait_until_ready()
    tell(f"all pods killed at once: everything done and ready {time.monotonic() - began:.0f} s later")
    assert_as_sent(installation, acknowledged)


def test_all_pods_deleted_at_once(installation: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """Each is made anew, on whichever node, while the old one still ends in order."""
    acknowledged = installation.upload_all(small_pictures[:40], threads=4)
    installation.kubectl("delete", "pods", "--field-selector=status.phase!=Succeeded", "--wait=false")
    began = time.monotonic()
    acknowledged |= installation.upload_all(small_pictures[40:], threads=2, seconds=240)
    installation.wait_done(acknowledged, RECOVERY_SECONDS)
    installation.wait_until_ready()
    tell(f"all pods deleted at once: everything done and ready {time.monotonic() - began:.0f} s later")
    assert_as_sent(installation, acknowledged)


def test_uploads_go_on_while_postgres_is_away(installation: Installation, small_pictures: list[bytes]) -> None:
    """The spool keeps them; they are done when it is back."""
    installation.kubectl("scale", "statefulset/postgres", "--replicas=0")
    try:
        installation.kubectl("wait", "--for=delete", "pod/postgres-0", "--timeout=110s")
        acknowledged = installation.upload_all(small_pictures[:10], threads=2)
        end = time.monotonic() + 15  # by now a probe would have closed the way to the API
        while time.monotonic() < end:
            answer = installation.client.get("/api/images")
            assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM), answer.text
        with pytest.raises(Refused):
            installation.sql("SELECT 1")
    finally:
        installation.kubectl("scale", "statefulset/postgres", "--replicas=1")
    installation.wait_done(acknowledged, RECOVERY_SECONDS)
    installation.wait_until_ready()


@pytest.mark.several_nodes
def test_the_node_of_the_spool_is_lost_and_comes_back(installation: Installation, tell: Tell) -> None:
    """Nothing is accepted meanwhile. All that was accepted before and afterwards is done, and as it was sent."""
    node = node_of(installation, "uploader")
    with Uploads(installation) as uploads:
        uploads.wait_for(UPLOADS)
        pods = [pod for pod in installation.list("pods") if pod["spec"].get("nodeName") == node]
        uploads.lose(node, STOP_NODE, START_NODE, UNTIL_NOTICED)
        installation.kills.update(pod["metadata"]["uid"] for pod in pods)
        ended = time.monotonic()
    installation.wait_done(uploads.acknowledged, RECOVERY_SECONDS)
    tell(
        f"the spool's node lost: {len(uploads.acknowledged)} pictures are done {time.monotonic() - ended:.1f} s after "
        f"uploads went on; an upload took at most {uploads.slowest:.1f} s"
    )
    for image_id, data in uploads.acknowledged.items():
        assert installation.client.get(f"/api/images/{image_id}/original").content == data
    installation.wait_until_ready()


@pytest.fixture
def little_memory(cold: Installation) -> Iterator[Installation]:
    """The installation, whose next workers let a picture take as little memory as may be set."""
    cold.set("IMAGOMORTIS_SANDBOX_MEMORY_BYTES", str(256 * MIB))
    yield cold
    cold.set("IMAGOMORTIS_SANDBOX_MEMORY_BYTES", None)
    cold.settle()


def test_a_picture_at_its_limit_of_memory_fails_alone(little_memory: Installation) -> None:
    """Its pod goes on, so others of the same worker are done by their first attempts."""
    large = {"recipe": '{"steps": [{"transform": "resize", "width": "9000px", "enlarge": true}]}'}
    answer = little_memory.client.post("/upload", data=large, files={"file": ("large.jpg", photo(96, 96))})
    assert answer.status_code == 201, answer.text
    others = little_memory.upload_all([photo(96, 64, seed=number) for number in range(4)])
    found = f"SELECT state, error_kind FROM images WHERE id = '{answer.json()['uuid']}'"
    little_memory.wait_for_row(found, ["failed", "memory-limit"], 240, lambda: str(little_memory.sql(found)))
    little_memory.wait_done(others)
    ids = ",".join(f"'{one}'" for one in others)
    assert little_memory.sql(f"SELECT max(attempt) FROM attempts WHERE image_id IN ({ids})") == [["1"]]
