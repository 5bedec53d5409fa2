"""Measures the seconds of one picture from the spool to done, on a warm and on a cold system."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from uuid import UUID

from bench.figure import Figure
from bench.suites.pipeline.entries import pictures, store
from bench.suites.pipeline.system import ask_dagster, await_idle, spool_of
from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool
from tests.support.running_system import Stack

WARM: Final = 100
COLD: Final = 20
"""Samples."""

GIVE_UP_SECONDS: Final = 60

LOOK_SECONDS: Final = 0.002
"""The seconds between two polls of a picture's state."""

Stamps = dict[str, float]
"""Events with their times (seconds since 1970), in order."""


def warm(stack: Stack) -> Iterator[Figure]:
    """Measure single pictures while a worker waits for them."""
    chance = random.Random(2)
    with stack.catalog() as catalog:
        spool = spool_of(stack)
        _time(spool, catalog, 0)
        taken = []
        for number in range(WARM):
            time.sleep(chance.uniform(0.05, 0.5))  # long enough altogether that the pushers take turns
            _, began, ended = _time(spool, catalog, number)
            taken.append((ended - began) * 1000)
    name = "one picture on a warm system, spool to done"
    yield Figure(f"{name}, p50", statistics.median(taken), "ms", at_most=40)
    yield Figure(f"{name}, p95", _p95(taken), "ms", at_most=120)
    yield Figure(f"{name}, the slowest of {WARM}", max(taken), "ms")


def cold(stack: Stack) -> Iterator[Figure]:
    """Measure single pictures without a living worker, and how long each step takes."""
    chance = random.Random(3)
    samples: list[Stamps] = []
    with stack.catalog() as catalog:
        spool = spool_of(stack)
        for number in range(COLD):
            await_idle(stack, catalog)
            time.sleep(chance.uniform(1, 3))  # no beat of Dagster's loops is met more often than another
            image_id, began, ended = _time(spool, catalog, number)
            samples.append({"stored": began, **_stamps(stack, catalog, image_id), "done": ended})
    taken = [sample["done"] - sample["stored"] for sample in samples]
    name = "one picture on a system without a worker, spool to done"
    yield Figure(f"{name}, p95", _p95(taken), "s", at_most=3)
    yield Figure(f"{name}, p50", statistics.median(taken), "s")
    for begin, end in pairwise(samples[0]):
        spans = [sample[end] - sample[begin] for sample in samples]
        yield Figure(f"  of it: {begin} -> {end}, median", statistics.median(spans), "s")


def _time(spool: Spool, catalog: Catalog, number: int) -> tuple[UUID, float, float]:
    """Store a picture; return its id, the time when it was stored, and the time when it was done."""
    image_id = store(spool, pictures()[number % len(pictures())])
    began = time.time()
    while not _is_done(catalog, image_id):
        if time.time() - began > GIVE_UP_SECONDS:
            raise RuntimeError(f"The picture was not done within {GIVE_UP_SECONDS} s.")
        time.sleep(LOOK_SECONDS)
    return image_id, began, time.time()


def _is_done(catalog: Catalog, image_id: UUID) -> bool:
    with catalog.database.connection() as connection:
        row = connection.execute("SELECT 1 FROM images WHERE id = %s AND state = 'done'", [image_id]).fetchone()
    return row is not None


def _stamps(stack: Stack, catalog: Catalog, image_id: UUID) -> Stamps:
    """Return the events of a picture on a cold system, from the catalog and from Dagster's event log."""
    with catalog.database.connection() as connection:
        row = connection.execute(
            "SELECT run_id, requested_at, leased_at FROM images JOIN workers USING (run_id) WHERE images.id = %s",
            [image_id],
        ).fetchone()
    assert row is not None
    events = dict(
        ask_dagster(
            stack,
            "SELECT dagster_event_type, extract(epoch FROM min(timestamp))::float8 FROM event_logs "
            "WHERE run_id = %s GROUP BY dagster_event_type",
            row["run_id"],
        )
    )
    return {
        "worker requested by the pusher": row["requested_at"].timestamp(),
        "run enqueued": events["PIPELINE_ENQUEUED"],
        "run dequeued": events["PIPELINE_STARTING"],
        "its process started and Dagster imported": events["ENGINE_EVENT"],
        "step begun": events["STEP_START"],
        "picture leased": row["leased_at"].timestamp(),
    }


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
