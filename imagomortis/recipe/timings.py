"""Collects how long each transform takes, as a histogram, until the catalog stores it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))
"""Upper bounds of the histogram's buckets, in seconds."""

StepSeconds = tuple[str, float]
"""The name of a transform, or the label of a step, and the seconds that it took."""


@dataclass(frozen=True)
class Timing:
    """One bucket: how many uses of a transform took at most ``at_most`` seconds, and the sum of their seconds.

    A bucket counts only the uses that took longer than the bound before.
    """

    transform: str
    at_most: float
    images: int
    seconds: float


class Timings:
    """The timings that a worker collects, from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, float], Timing] = {}

    def note(self, steps: Iterable[StepSeconds]) -> None:
        """Add the steps of one image."""
        self.put_back(Timing(name, BOUNDS[bisect_left(BOUNDS, seconds)], 1, seconds) for name, seconds in steps)

    def take(self) -> list[Timing]:
        """Return the collected timings, and start again from zero."""
        with self._lock:
            found, self._found = self._found, {}
        return list(found.values())

    def put_back(self, timings: Iterable[Timing]) -> None:
        """Add timings that the catalog could not store."""
        with self._lock:
            for each in timings:
                key = (each.transform, each.at_most)
                known = self._found.get(key, Timing(*key, 0, 0.0))
                self._found[key] = Timing(*key, known.images + each.images, known.seconds + each.seconds)
