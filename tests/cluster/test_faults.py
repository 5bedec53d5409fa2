"""What the system survives in a cluster: pods that are deleted or killed at any moment, and all of them at once."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from imagomortis.http.problems import MEDIA_TYPE as PROBLEM
from tests.cluster.conftest import Tell
from tests.cluster.installation import DEPLOYMENTS, Installation, Refused, is_at_work, until
from tests.pictures import photo

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROUNDS, UPLOADS = 10, 300
PAUSE_SECONDS = (1.0, 4.0)

KINDS = (*DEPLOYMENTS, "postgres", "run", "image-task")
"""The component of each kind of pod."""

AFTER_DELETION, AFTER_KILL = 30.0, 60.0
"""Seconds from the last fault until everything is done."""


class Chaos:
    """Deletes or kills a pod of a random kind, again and again."""

    def __init__(self, installation: Installation, seed: int) -> None:
        """Take the seed, so that a round that failed can be repeated."""
        self._installation = installation
        self._chance = random.Random(seed)
        self.faults: list[str] = []
        self.last_deletion = self.last_kill = 0.0

    def strike(self) -> None:
        """Delete or kill one pod, or none where that kind has none at the moment."""
        kind = self._chance.choice(KINDS)
        kill = self._chance.random() < 0.5
        pods = [
            pod["metadata"]["name"] for pod in self._installation.list("pods", f"app.kubernetes.io/component={kind}")
        ]
        if not pods:
            return
        how = ["--grace-period=0", "--force"] if kill else []
        self._installation.kubectl(
            "delete", "pod", self._chance.choice(pods), "--wait=false", "--ignore-not-found", *how
        )
        self.faults.append(f"{'killed' if kill else 'deleted'} {kind}")
        if kill:
            self.last_kill = time.monotonic()
        else:
            self.last_deletion = time.monotonic()

    @property
    def until(self) -> float:
        """The monotonic time by which everything must be done."""
        return max(self.last_deletion + AFTER_DELETION, self.last_kill + AFTER_KILL)

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Strike during a block."""
        stop = threading.Event()

        def rage() -> None:
            while not stop.wait(self._chance.uniform(*PAUSE_SECONDS)):
                self.strike()

        thread = threading.Thread(target=rage)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_is_lost_when_pods_go(
    installation: Installation, small_pictures: list[bytes], seed: int, tell: Tell
) -> None:
    """Every acknowledged picture is done in time, its original as it was sent, in exactly one row."""
    chaos = Chaos(installation, seed)
    chaos.strike()
    with chaos.raging():
        pictures = [small_pictures[number % len(small_pictures)] for number in range(UPLOADS)]
        acknowledged = installation.upload_all(pictures, threads=2, seconds=120)
    began = time.monotonic()
    try:
        installation.wait_done(acknowledged, max(1.0, chaos.until - began))
    finally:
        tell(f"round {seed}: {', '.join(chaos.faults)}; {time.monotonic() - began:.0f} s after the last upload")
    assert_as_sent(installation, acknowledged)


def test_a_step_whose_pod_goes_before_it_began_is_made_good(cold: Installation, tell: Tell) -> None:
    """Its worker never said a word, so the run itself must notice."""
    acknowledged = {cold.upload(data := photo(64, 48, seed=11)): data}
    pod = until(lambda: cold.list("pods", "app.kubernetes.io/component=image-task"), 30, "a step's pod", pause=0.05)[0]
    cold.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    tell(f"a step's pod killed as it began: {cold.wait_done(acknowledged, AFTER_DELETION):.0f} s")
    assert_as_sent(cold, acknowledged)


def test_a_run_that_begins_while_postgres_goes_is_made_good(cold: Installation, tell: Tell) -> None:
    """Postgres ends while the run starts its step, whose pod is killed when Postgres is about to be back."""
    acknowledged = {cold.upload(data := photo(64, 48, seed=12)): data}
    until(lambda: cold.list("pods", "app.kubernetes.io/component=run"), 30, "a run's pod", pause=0.05)
    cold.kubectl("delete", "pod", "postgres-0", "--wait=false")
    pod = until(lambda: cold.list("pods", "app.kubernetes.io/component=image-task"), 30, "a step's pod", pause=0.05)[0]
    cold.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    tell(f"Postgres deleted as a run began, its step killed: {cold.wait_done(acknowledged, AFTER_KILL):.0f} s")
    assert_as_sent(cold, acknowledged)


def assert_as_sent(installation: Installation, acknowledged: dict[UUID, bytes]) -> None:
    wanted = ",".join(f"'{one}'" for one in acknowledged)
    rows = installation.sql(
        f"SELECT image_id, encode(sha256(bytes), 'hex') FROM originals WHERE image_id IN ({wanted})"
    )
    assert sorted(rows) == sorted([str(one), hashlib.sha256(data).hexdigest()] for one, data in acknowledged.items())


def test_no_job_is_orphaned_after_the_janitors_pass(installation: Installation) -> None:
    """When the system is at rest, a minute's sweep later, no Job of Dagster is at work."""
    installation.settle(seconds=180)
    until(lambda: not [job for job in installation.jobs() if is_at_work(job)], 75, "no Job is at work")


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


def test_all_pods_at_once(installation: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """As when a node restarts: what was acknowledged is done, and everything answers again."""
    acknowledged = installation.upload_all(small_pictures[:40], threads=4)
    installation.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", seconds=120)
    began = time.monotonic()
    acknowledged |= installation.upload_all(small_pictures[40:], threads=2, seconds=120)
    installation.wait_done(acknowledged, 180)
    installation.wait_until_ready()
    tell(f"all pods killed at once: everything done and ready {time.monotonic() - began:.0f} s later")
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
