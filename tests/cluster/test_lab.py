"""The overlay `lab`: the textbook's Job for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.conftest import Tell
from tests.cluster.installation import NODE_PORTS, ROOT, Installation, kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PICTURES = 8
MAX_WORKERS = 8  # as the overlay sets it


@pytest.fixture
def lab(installation: Installation) -> Iterator[Installation]:
    """The installation with the overlay applied, and as it was afterwards."""
    installation.settle()
    installation.kubectl("delete", "jobs", "-l", "app.kubernetes.io/component in (bootstrap, migrate)")
    kubectl("apply", "-k", str(ROOT / "deploy" / "overlays" / "lab"))
    restart(installation)
    yield installation
    installation.apply()
    restart(installation)


def restart(installation: Installation) -> None:
    """Let the parts read their settings anew."""
    for part in ("uploader", "api", "pusher", "scheduler"):
        installation.kubectl("rollout", "restart", f"deployment/{part}")
    installation.wait_until_ready()
    installation.forget()


def test_one_job_for_each_image(lab: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """So many pictures, so many step Jobs, each with its run Job, several at once; and nobody is asked for a token."""
    before = {job["metadata"]["name"] for job in lab.jobs()}
    with httpx.Client(base_url=f"http://{NODE_PORTS[2]}") as client:
        answers = [client.post("/upload", files={"file": ("one.jpg", data)}) for data in small_pictures[:PICTURES]]
    ids = [answer.json()["uuid"] for answer in answers]
    most = 0

    def are_done() -> bool:
        nonlocal most
        steps = lab.list("pods", "app.kubernetes.io/component=image-task")
        most = max(most, sum(pod["status"]["phase"] == "Running" for pod in steps))
        return lab.states(ids) == {"done": PICTURES}

    until(are_done, 400, lambda: lab.describe(ids))
    made = [job for job in lab.jobs() if job["metadata"]["name"] not in before]
    kinds = Counter(job["metadata"]["labels"]["app.kubernetes.io/component"] for job in made)
    tell(f"lab: {PICTURES} pictures by {kinds['run']} runs and {kinds['image-task']} steps, up to {most} at once")
    assert kinds == {"run": PICTURES, "image-task": PICTURES}
    assert 2 <= most <= MAX_WORKERS
    for job in made:  # each ends, and goes by itself
        assert job["spec"]["backoffLimit"] == 0
        assert {"activeDeadlineSeconds", "ttlSecondsAfterFinished"} <= job["spec"].keys()
    steps = [job for job in made if job["metadata"]["labels"]["app.kubernetes.io/component"] == "image-task"]
    owners = {owner["kind"] for job in steps for owner in job["metadata"]["ownerReferences"]}
    assert owners == {"Pod"}, "a step goes with the pod of its run"
