"""The overlay `lab`: the textbook's Job for each image."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import NODE_PORTS, ROOT, Installation, kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PICTURES = 8
MAX_WORKERS = 8  # as the overlay sets it


@pytest.fixture
def lab(installation: Installation) -> Installation:
    """The installation with the overlay applied, which stays: the tests of the removal make it plain again."""
    installation.settle()
    kubectl("apply", "-k", str(ROOT / "deploy" / "overlays" / "lab"))
    installation.wait_until_ready()
    installation.forget()
    return installation


def test_one_job_for_each_image(lab: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """So many pictures, so many step Jobs, each with its run Job, several at once; and nobody is asked for a token."""
    before = {job["metadata"]["name"] for job in lab.jobs()}
    with httpx.Client(base_url=f"http://{NODE_PORTS[2]}", timeout=60) as client:
        answers = [client.post("/upload", files={"file": ("one.jpg", data)}) for data in small_pictures[:PICTURES]]
    assert {answer.status_code for answer in answers} == {201}
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
    runs = lab.sql(f"SELECT DISTINCT run_id FROM images WHERE id IN ({','.join(repr(one) for one in ids)})")
    assert len(runs) == PICTURES, "each picture has its own run"
    assert kinds["run"] >= PICTURES, "a run that starts slowly has another for its picture, which then finds nothing"
    assert kinds["image-task"] >= PICTURES
    assert 2 <= most <= MAX_WORKERS
    for job in made:  # each ends, and goes by itself
        assert job["spec"]["backoffLimit"] == 0
        assert {"activeDeadlineSeconds", "ttlSecondsAfterFinished"} <= job["spec"].keys()
    steps = [job for job in made if job["metadata"]["labels"]["app.kubernetes.io/component"] == "image-task"]
    owners = {owner["kind"] for job in steps for owner in job["metadata"]["ownerReferences"]}
    assert owners == {"Pod"}, "a step goes with the pod of its run"
