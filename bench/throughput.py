"""Pictures a second from the spool to done: the system beside the bare loop, and other task queues."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench import rivals
from bench.contest import Contender, bare, rate
from bench.figure import Figure
from bench.system import event_rows, idle
from imagomortis.errors import ConfigurationError
from tests.live import Stack

COUNT: Final = 10_000
QUICK_COUNT: Final = 2_000
"""Pictures in a turn; also other queues get so few."""

ROUNDS: Final = 3
"""Turns of system and floor, one after the other, so that both see the same machine."""


def throughput(stack: Stack, folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure the system, which has no worker alive when a turn begins, its floor, and other task queues.

    Raises ConfigurationError, at the end, where those are not installed.
    """
    count = QUICK_COUNT if quick else COUNT
    server = stack.variables()["DATABASE_URL"]
    system, floor = partial(idle, stack), partial(bare, server)
    rates: dict[Contender, list[float]] = {system: [], floor: []}
    events: list[int] = []
    for turn in range(ROUNDS):
        before = event_rows(stack)
        for contender in rates if turn % 2 else reversed(rates):
            rates[contender].append(rate(contender, folder, count))
        events.append(event_rows(stack) - before)
    bare_rate = statistics.median(rates[floor])
    yield Figure(
        f"{count:,} JPEGs of 384x256, spool to done, two workers that have to start",
        statistics.median(rates[system]),
        "pictures/s",
        floor=bare_rate,
        at_least=0.8,
    )
    yield Figure("Dagster's event rows for them", max(events), "rows", at_most=50)
    yield from _rivals(server, folder, bare_rate)


def _rivals(server: str, folder: Path, bare_rate: float) -> Iterator[Figure]:
    if missing := rivals.missing():
        raise ConfigurationError(missing)
    for name, contender in rivals.RIVALS.items():
        measured = rate(partial(contender, server), folder, QUICK_COUNT)
        yield Figure(f"{QUICK_COUNT:,} of them with {name}, two workers", measured, "pictures/s", floor=bare_rate)
