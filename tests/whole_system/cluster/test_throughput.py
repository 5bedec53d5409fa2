"""A thousand pictures on a cold system."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import Installation, kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

COUNT, A_REQUEST = 1_000, 25


def test_a_thousand_pictures_on_a_cold_system(cold: Installation, small_pictures: list[bytes], tell: Tell) -> None:
    """All are done by few Jobs, and every row is right; the test prints the seconds and the CPU time of a picture."""
    jobs = {job["metadata"]["name"] for job in cold.jobs()}
    used, began = cpu_seconds(), time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda number: upload_many(cold, small_pictures, number), range(COUNT // A_REQUEST))
        ids = [image_id for answer in answers for image_id in answer]
    accepted = time.monotonic() - began
    assert len(set(ids)) == COUNT
    cold.wait_done(ids, 180)
    seconds = time.monotonic() - began
    cold.settle()
    made = {job["metadata"]["name"] for job in cold.jobs()} - jobs
    cost = (cpu_seconds() - used) / COUNT
    tell(
        f"{COUNT:,} pictures of 25 KB on a cold system: {seconds:.1f} s ({accepted:.1f} s until all were accepted), "
        f"{len(made)} Jobs, {cost:.3f} CPU-seconds a picture in all pods"
    )
    assert len(made) <= 20
    wanted = ",".join(f"'{one}'" for one in ids)
    assert cold.sql(
        "SELECT count(*), count(DISTINCT images.id), bool_and(state = 'done' AND attempt = 1 AND error IS NULL), "
        "bool_and(sha256 = sha256(bytes)), min(made), max(made) FROM images JOIN originals ON image_id = images.id, "
        "LATERAL (SELECT count(*) AS made FROM renditions WHERE renditions.image_id = images.id) AS one "
        f"WHERE images.id IN ({wanted})"
    ) == [[str(COUNT), str(COUNT), "t", "t", "2", "2"]]


def upload_many(installation: Installation, pictures: list[bytes], number: int) -> list[UUID]:
    files = [("file", (f"{number}-{place}.jpg", pictures[place % len(pictures)])) for place in range(A_REQUEST)]
    answer = installation.client.post("/upload", files=files)
    assert answer.status_code == 201, answer.text
    return [UUID(one["uuid"]) for one in answer.json()]


def cpu_seconds() -> float:
    """Return the CPU time that all pods of the cluster have used until now, those that ended included."""
    nodes = [node["metadata"]["name"] for node in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]]
    return sum(cpu_seconds_of(node) for node in nodes)


def cpu_seconds_of(node: str) -> float:
    summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    pods = next(one for one in summary["node"]["systemContainers"] if one["name"] == "pods")
    return float(pods["cpu"]["usageCoreNanoSeconds"]) / 1e9
