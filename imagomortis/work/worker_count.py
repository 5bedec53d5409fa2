"""How many workers a queue wants."""

from __future__ import annotations

import math
from typing import Final

IMAGES_A_WORKER: Final = 300
"""One more worker is worth its start for every so many images that wait."""


def images_a_worker(images_per_job: int) -> int:
    """Return how many waiting images are one worker's; ``images_per_job`` is what it may do at most, 0: no limit."""
    return min(IMAGES_A_WORKER, images_per_job or IMAGES_A_WORKER)


def wanted_workers(queued: int, images_per_job: int, most: int) -> int:
    """Return how many workers so many waiting images want, ``most`` at most."""
    return min(math.ceil(queued / images_a_worker(images_per_job)), most)
