"""How long a person waits for one picture, on a cold system and on a warm one."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import httpx
import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import LINGER_SECONDS, NODE_PORTS, Installation

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

COLD_SAMPLES, WARM_SAMPLES = 2, 20

COLD_SECONDS, WARM_SECONDS = 75.0, 0.5
"""Limits for the slowest picture, five times what is usual; `make test-cluster` prints the figures."""


@pytest.fixture
def short_lived_workers(installation: Installation) -> Iterator[Installation]:
    """Workers that leave as soon as there is nothing to do, so that each picture finds a cold system."""
    installation.set("IMAGOMORTIS_LINGER_SECONDS", "0.5")
    installation.settle()
    yield installation
    installation.set("IMAGOMORTIS_LINGER_SECONDS", str(LINGER_SECONDS))


def test_one_picture_on_a_cold_system(short_lived_workers: Installation, tell: Tell) -> None:
    """A picture is done although no worker was there; the test prints where the seconds go."""
    seconds, phases = [], []
    for number in range(COLD_SAMPLES):
        short_lived_workers.settle()
        image_id, taken = one_picture(short_lived_workers, number)
        seconds.append(taken)
        phases.append(phases_of(short_lived_workers, image_id))
    tell(f"one picture on a cold system: p50 {statistics.median(seconds):.1f} s, slowest {max(seconds):.1f} s")
    medians = (f"{name} {statistics.median(phase[name] for phase in phases):.2f}" for name in phases[0])
    tell(f"of which, by their medians: {', '.join(medians)} s")
    assert max(seconds) <= COLD_SECONDS


def test_one_picture_on_a_warm_system(installation: Installation, tell: Tell) -> None:
    """A worker that waits takes a picture at once."""
    one_picture(installation, 99)  # by whose worker the others are done
    ids = ",".join(f"'{one_picture(installation, number)[0]}'" for number in range(WARM_SAMPLES))
    rows = installation.sql(f"SELECT extract(epoch FROM finished_at - created_at) FROM images WHERE id IN ({ids})")
    seconds = [float(taken) for (taken,) in rows]
    tell(
        f"one picture on a warm system: p50 {statistics.median(seconds) * 1000:.0f} ms, "
        f"p95 {percentile(seconds, 95) * 1000:.0f} ms"
    )
    assert statistics.median(seconds) <= WARM_SECONDS


def one_picture(installation: Installation, number: int) -> tuple[UUID, float]:
    """Upload a picture; return its id, and the seconds from then on until it was done."""
    headers = {"Authorization": installation.client.headers["Authorization"]}
    with httpx.Client(base_url=f"http://{NODE_PORTS[0]}", headers=headers, timeout=60) as client:
        began = time.monotonic()
        answer = client.post("/upload", files={"file": (f"{number}.jpg", photo(480, 320, seed=number % 50))})
        assert answer.status_code == 201, answer.text
        image_id = UUID(answer.json()["uuid"])
        while state_of(client, image_id) != "done":
            assert time.monotonic() - began < 240
            time.sleep(0.02)
        return image_id, time.monotonic() - began


def state_of(client: httpx.Client, image_id: UUID) -> str:
    answer = client.get(f"/api/images/{image_id}/info")
    return answer.json()["state"] if answer.status_code == 200 else "in the spool"


def phases_of(installation: Installation, image_id: UUID) -> dict[str, float]:
    """Return the seconds of each part of a picture's way, from what the catalog, Dagster and Kubernetes noted."""
    ((created, asked, leased, finished, run_id),) = installation.sql(
        "SELECT extract(epoch FROM images.created_at), extract(epoch FROM requested_at), "
        "extract(epoch FROM attempts.started_at), extract(epoch FROM images.finished_at), images.run_id "
        "FROM images JOIN attempts ON image_id = images.id JOIN workers ON workers.run_id = images.run_id "
        f"WHERE images.id = '{image_id}' AND outcome = 'done'"
    )
    ((queued, launched, running),) = installation.sql(
        "SELECT max(extract(epoch FROM timestamp)) FILTER (WHERE dagster_event_type = 'PIPELINE_ENQUEUED'), "
        "max(extract(epoch FROM timestamp)) FILTER (WHERE dagster_event_type = 'PIPELINE_STARTING'), "
        "max(extract(epoch FROM timestamp)) FILTER (WHERE dagster_event_type = 'PIPELINE_START') "
        f"FROM event_logs WHERE run_id = '{run_id}'",
        "imagomortis_dagster",
    )
    return {
        "pusher": float(asked) - float(created),
        "sensor": float(queued) - float(asked),
        "queue": float(launched) - float(queued),
        "the run's Job, pod and imports": float(running) - float(launched),
        "the step's Job, pod and imports": float(leased) - float(running),
        "processing": float(finished) - float(leased),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of ``values`` that at least ``percent`` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
