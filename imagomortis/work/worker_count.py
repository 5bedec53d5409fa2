"""How many workers a queue wants."""

from __future__ import annotations

import math
from typing import Final

from imagomortis.settings import Settings

LEAST_SECONDS: Final = 0.2
"""A queued image counts for at least so long, and for so long while nothing like it was measured.

Small images take less, but thousands of them are done sooner by two workers than by one.
"""


def images_limit(settings: Settings) -> int:
    """Return how many queued images want as many workers as there may be, whatever they are."""
    a_worker = max(1, settings.drain_seconds / LEAST_SECONDS)
    return math.ceil(min(a_worker, settings.images_per_job or math.inf) * settings.max_workers)


def wanted_workers(queued: int, seconds: float, settings: Settings) -> int:
    """Return how many workers so many queued images want that take ``seconds`` each."""
    by_time = queued * max(seconds, LEAST_SECONDS) / settings.drain_seconds
    by_number = queued / settings.images_per_job if settings.images_per_job else 0
    exact = round(max(by_time, by_number), 6)  # a mean of many equal figures is not quite one of them
    return min(math.ceil(exact), queued, settings.max_workers)


def standby_workers(settings: Settings) -> int:
    """Return how many workers stay although nothing waits."""
    return min(settings.min_workers, settings.max_workers)
