"""Timings: how long each transform took, gathered as a histogram until the catalog takes them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))
"""Upper bounds of the histogram's classes, in seconds."""

StepSeconds = tuple[str, float]
"""The name of a transform, and the seconds that one use of it took."""


@dataclass(frozen=True)
class Timing:
    """How many uses of a transform took at most so many seconds (and more than the bound before), and their sum."""

    transform: str
    at_most: float
    images: int
    seconds: float


class Timings:
    """What a worker gathers; used by several threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._found: dict[tuple[str, float], Timing] = {}

    def note(self, steps: Iterable[StepSeconds]) -> None:
        """Add the steps of one image."""
        self.put_back(Timing(name, BOUNDS[bisect_left(BOUNDS, seconds)], 1, seconds) for name, seconds in steps)

    def take(self) -> list[Timing]:
        """Return what was gathered, and begin anew."""
        with self._lock:
            found, self._found = self._found, {}
        return list(found.values())

    def put_back(self, timings: Iterable[Timing]) -> None:
        """Add what the catalog could not take."""
        with self._lock:
            for each in timings:
                key = (each.transform, each.at_most)
                known = self._found.get(key, Timing(*key, 0, 0.0))
                self._found[key] = Timing(*key, known.images + each.images, known.seconds + each.seconds)
