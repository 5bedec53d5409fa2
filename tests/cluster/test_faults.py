"""What the system survives in a cluster: pods that are deleted or killed at any moment, and all of them at once."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from imagomortis.http.problems import MEDIA_TYPE as PROBLEM
from imagomortis_pipeline.janitor import GRACE_SECONDS
from tests.cluster.conftest import Tell
from tests.cluster.installation import DEPLOYMENTS, Installation, Refused, is_at_work, restart_count, until
from tests.cluster.killer import Killer
from tests.pictures import photo

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROUNDS, UPLOADS = 10, 300
PAUSE_SECONDS = (0.8, 2.5)

KINDS = (*DEPLOYMENTS, "postgres", "run", "image-task")
"""The component of each kind of pod."""

FAULTS = len(KINDS) // 2
"""How many there are in a round at least: a quarter of all."""

AFTER_DELETION, AFTER_KILL = 30.0, 60.0
"""Seconds from the last fault until everything is done."""


ORPHAN_SECONDS = 60.0 + GRACE_SECONDS + 5.0
"""Seconds from the last fault until the janitor has been there, the seconds of its grace after that minute's sweep."""

_hits: set[str] = set()
"""What was done to which kind in all rounds."""

_last_fault = 0.0
"""The monotonic time of the last fault of all rounds."""


class Chaos:
    """Kills or deletes a pod of a random kind, again and again."""

    def __init__(self, installation: Installation, killer: Killer, seed: int) -> None:
        """Take the seed, so that a round that failed can be repeated."""
        self._installation = installation
        self._killer = killer
        self._chance = random.Random(seed)
        self._plan = plan(seed)
        self.faults: list[str] = []
        self.last_deletion = self.last_kill = 0.0

    def strike(self) -> None:
        """Do what is first in the plan of that for which there is a pod; it is last in the plan then."""
        pods = [pod for pod in self._installation.list("pods") if is_alive(pod)]
        for how, kind in self._plan:
            found = [pod for pod in pods if pod["metadata"]["labels"].get("app.kubernetes.io/component") == kind]
            if found and self._hit(how, self._chance.choice(found)):
                self._plan.remove((how, kind))
                self._plan.append((how, kind))
                self.faults.append(f"{how} {kind}")
                return

    def _hit(self, how: str, pod: Mapping[str, Any]) -> bool:
        """Kill or delete a pod; return whether there was anything to kill."""
        if how == "killed":
            if not self._killer.kill(pod):
                return False
            if restart_count(
                pod
            ):  # Kubernetes would wait before it starts its container a second time, longer each time
                self._remove(pod, "--grace-period=0", "--force")
            self.last_kill = time.monotonic()
        else:
            self._remove(pod)
            self.last_deletion = time.monotonic()
        return True

    def _remove(self, pod: Mapping[str, Any], *how: str) -> None:
        name = pod["metadata"]["name"]
        self._installation.kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found", *how)

    @property
    def last_fault(self) -> float:
        """The monotonic time of the last fault."""
        return max(self.last_deletion, self.last_kill)

    @property
    def until(self) -> float:
        """The monotonic time by which everything must be done."""
        return max(self.last_deletion + AFTER_DELETION, self.last_kill + AFTER_KILL)

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Strike during a block; raise in the end what kept it from striking."""
        stop = threading.Event()

        def rage() -> None:
            while not stop.wait(self._chance.uniform(*PAUSE_SECONDS)):
                self.strike()

        with ThreadPoolExecutor(1) as pool:
            raging = pool.submit(rage)
            try:
                yield
                until(lambda: len(self.faults) >= FAULTS or raging.done(), 60, "enough faults")
            finally:
                stop.set()
        raging.result()


def plan(seed: int) -> list[tuple[str, str]]:
    """Return in which order to strike: what no round did first, each round from another quarter of an order."""
    order = [(how, kind) for kind in KINDS for how in ("killed", "deleted")]
    random.Random(seed // 4).shuffle(order)
    begin = seed % 4 * FAULTS
    return sorted(order[begin:] + order[:begin], key=lambda one: " ".join(one) in _hits)


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


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_is_lost_when_pods_go(
    installation: Installation, killer: Killer, small_pictures: list[bytes], seed: int, tell: Tell
) -> None:
    """Every acknowledged picture is done in time, its original as it was sent, in exactly one row."""
    global _last_fault  # noqa: PLW0603  # what the tests after the rounds look back at
    chaos = Chaos(installation, killer, seed)
    chaos.strike()
    with chaos.raging():
        pictures = [small_pictures[number % len(small_pictures)] for number in range(UPLOADS)]
        acknowledged = installation.upload_all(pictures, threads=2, seconds=120)
    began = time.monotonic()
    _hits.update(chaos.faults)
    _last_fault = chaos.last_fault
    try:
        installation.wait_done(acknowledged, max(1.0, chaos.until - began))
    finally:
        tell(f"round {seed}: {', '.join(chaos.faults)}; {time.monotonic() - began:.0f} s after the last upload")
    assert_as_sent(installation, acknowledged)


def test_the_rounds_hit_every_kind_of_part() -> None:
    """Each was killed in some round, and deleted in some round."""
    assert {f"{how} {kind}" for how in ("killed", "deleted") for kind in KINDS} == _hits


def test_no_job_is_orphaned_after_the_janitors_pass(installation: Installation, tell: Tell) -> None:
    """A sweep after the rounds' last fault, no Job is at work for a run that is over or unknown; then none at all."""
    left = len(orphans(installation))
    time.sleep(max(0.0, _last_fault + ORPHAN_SECONDS - time.monotonic()))
    tell(f"{left} Jobs were orphaned after the last round")
    assert not orphans(installation)
    installation.settle(seconds=180)


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
    pod = until(lambda: cold.list("pods", "app.kubernetes.io/component=image-task"), 30, "a step's pod", pause=0.05)[0]
    cold.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    tell(f"a step's pod removed as it began: {cold.wait_done(acknowledged, AFTER_DELETION):.0f} s")
    assert_as_sent(cold, acknowledged)


def test_a_run_that_begins_while_postgres_goes_is_made_good(cold: Installation, tell: Tell) -> None:
    """Postgres ends while the run starts its step, whose pod is removed when Postgres is about to be back."""
    acknowledged = {cold.upload(data := photo(64, 48, seed=12)): data}
    until(lambda: cold.list("pods", "app.kubernetes.io/component=run"), 30, "a run's pod", pause=0.05)
    cold.kubectl("delete", "pod", "postgres-0", "--wait=false")
    pod = until(lambda: cold.list("pods", "app.kubernetes.io/component=image-task"), 30, "a step's pod", pause=0.05)[0]
    cold.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    tell(f"Postgres deleted as a run began, its step removed: {cold.wait_done(acknowledged, AFTER_KILL):.0f} s")
    assert_as_sent(cold, acknowledged)


def assert_as_sent(installation: Installation, acknowledged: dict[UUID, bytes]) -> None:
    wanted = ",".join(f"'{one}'" for one in acknowledged)
    rows = installation.sql(
        f"SELECT image_id, encode(sha256(bytes), 'hex') FROM originals WHERE image_id IN ({wanted})"
    )
    assert sorted(rows) == sorted([str(one), hashlib.sha256(data).hexdigest()] for one, data in acknowledged.items())


def test_the_janitor_removes_the_job_of_a_run_that_is_over(installation: Installation) -> None:
    """A Job at work whose run is not there is gone after the next sweep."""
    orphan = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "dagster-run-orphan",
            "labels": {"dagster/run-id": "00000000-0000-0000-0000-000000000000"},
        },
        "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}},
    }
    installation.create(orphan)
    until(
        lambda: (
            not installation.kubectl("get", "job", "dagster-run-orphan", "--ignore-not-found", "-o", "name").strip()
        ),
        120,
        "the orphan is gone",
    )


CONTAINER = {"name": "one", "image": "imagomortis:0.1.0"}


def test_all_pods_at_once(installation: Installation, killer: Killer, small_pictures: list[bytes], tell: Tell) -> None:
    """As when a node loses its power: what was acknowledged is done, and everything answers again."""
    acknowledged = installation.upload_all(small_pictures[:40], threads=4)
    assert killer.kill(*installation.list("pods"), whole=True) > 2 * len(DEPLOYMENTS)
    began = time.monotonic()
    acknowledged |= installation.upload_all(small_pictures[40:], threads=2, seconds=120)
    installation.wait_done(acknowledged, 180)
    installation.wait_until_ready()
    tell(f"all pods killed at once: everything done and ready {time.monotonic() - began:.0f} s later")
    assert_as_sent(installation, acknowledged)


def test_all_pods_deleted_at_once(installation: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """Each is made anew, on whichever node, while the old one still ends in order."""
    acknowledged = installation.upload_all(small_pictures[:40], threads=4)
    installation.kubectl("delete", "pods", "--field-selector=status.phase!=Succeeded", "--wait=false")
    began = time.monotonic()
    acknowledged |= installation.upload_all(small_pictures[40:], threads=2, seconds=120)
    installation.wait_done(acknowledged, 180)
    installation.wait_until_ready()
    tell(f"all pods deleted at once: everything done and ready {time.monotonic() - began:.0f} s later")
    assert_as_sent(installation, acknowledged)


def test_uploads_go_on_while_postgres_is_away(installation: Installation, small_pictures: list[bytes]) -> None:
    """The spool keeps them; they are done when it is back."""
    installation.kubectl("scale", "statefulset/postgres", "--replicas=0")
    try:
        installation.kubectl("wait", "--for=delete", "pod/postgres-0", "--timeout=90s")
        acknowledged = installation.upload_all(small_pictures[:10], threads=2, seconds=20)
        end = time.monotonic() + 15  # by now a probe would have closed the way to the API
        while time.monotonic() < end:
            answer = installation.client.get("/api/images")
            assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM), answer.text
        with pytest.raises(Refused):
            installation.sql("SELECT 1")
    finally:
        installation.kubectl("scale", "statefulset/postgres", "--replicas=1")
    installation.wait_done(acknowledged, 90)
    installation.wait_until_ready()
