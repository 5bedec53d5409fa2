"""Measures pictures per second from the spool to done: the system, the bare loop, and other task queues."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.rivals import queues
from bench.rivals.contest import Contender, bare, rate
from bench.suites.pipeline.system import event_rows, idle
from imagomortis.errors import ConfigurationError
from tests.support.running_system import Stack

COUNT: Final = 10_000
QUICK_COUNT: Final = 2_000
"""Pictures per turn of a quick run, and of the other queues."""

ROUNDS: Final = 3
"""Rounds in which the contenders take turns, so that all see the same load of the machine."""

SYSTEM: Final = "the system"
FLOOR: Final = "the bare loop"


def throughput(stack: Stack, folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure the system, which begins without a worker, and other task queues, against the bare loop.

    At the end, raises ConfigurationError with the queues that are not installed.
    """
    count = QUICK_COUNT if quick else COUNT
    server = stack.variables()["DATABASE_URL"]
    events = event_rows(stack)
    rates = _rates({SYSTEM: partial(idle, stack), FLOOR: partial(bare, server)}, folder, count)
    events = event_rows(stack) - events
    yield Figure(
        f"{count:,} JPEGs of 384x256, spool to done, two workers that have to start",
        rates[SYSTEM],
        "pictures/s",
        floor=rates[FLOOR],
        at_least=0.8,
    )
    yield Figure(f"Dagster's event rows for {count:,} pictures", events / ROUNDS, "rows", at_most=50)
    others = {name: partial(rival.contender, server) for name, rival in queues.present().items()}
    if others:
        rates = _rates({**others, FLOOR: partial(bare, server)}, folder, QUICK_COUNT)
    for name in others:
        what = f"{QUICK_COUNT:,} of them by {name}, two workers"
        yield Figure(what, rates[name], "pictures/s", floor=rates[FLOOR])
    if missing := queues.missing():
        raise ConfigurationError(missing)


def _rates(contenders: Mapping[str, Contender], folder: Path, count: int) -> dict[str, float]:
    """Return the median rate of each contender over all rounds."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name in taken if turn % 2 else reversed(taken):
            taken[name].append(rate(contenders[name], folder, count))
    return {name: statistics.median(rates) for name, rates in taken.items()}
