"""Groups pictures whose bytes are stored or fetched together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

MOST: Final = 64
MOST_BYTES: Final = 16 * 1024 * 1024
"""Pictures and bytes that are in memory together, unless a single picture is larger."""


def batches(pictures: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield the pictures in their order, in groups of at most MOST with at most MOST_BYTES."""
    batch: list[T] = []
    total = 0
    for picture in pictures:
        size = size_of(picture)
        if batch and (len(batch) == MOST or total + size > MOST_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(picture)
        total += size
    if batch:
        yield batch
