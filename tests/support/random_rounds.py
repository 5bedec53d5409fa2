"""Random rounds that can be repeated."""

from __future__ import annotations

import logging
import os
from random import Random
from typing import Final

log = logging.getLogger(__name__)

SEED: Final = "IMAGOMORTIS_TEST_SEED"
"""Variable with a seed for every round; without it the number of a round is its seed."""


def chance_of(number: int) -> Random:
    """Return what decides in a round, and log how to repeat it, which pytest shows if the test fails."""
    seed = int(os.environ.get(SEED, number))
    log.warning("Repeat this round with %s=%d.", SEED, seed)
    return Random(seed)
