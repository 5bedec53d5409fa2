"""Keeps the results that a worker has not saved yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from imagomortis.catalog.queue import Result

SAVE_BYTES: Final = 4 * 1024 * 1024
SAVE_IMAGES: Final = 16
SAVE_SECONDS: Final = 0.25
"""Results are saved when they reach this size or this number, or have waited for this long."""


class UnsavedResults:
    """The results of one lease; the worker's two threads share it."""

    def __init__(self) -> None:
        """Begin without a lease."""
        self._lock = threading.Lock()
        self._token = UUID(int=0)
        self._results: list[Result] = []
        self._saved = self._oldest = time.monotonic()

    def begin(self, token: UUID) -> None:
        """Begin with a new lease, whose results are none yet."""
        with self._lock:
            self._token, self._results, self._saved = token, [], time.monotonic()

    def add(self, result: Result) -> None:
        """Keep a result until it is saved."""
        with self._lock:
            if not self._results:
                self._oldest = time.monotonic()
            self._results.append(result)

    def now(self) -> tuple[UUID, list[Result]]:
        """Return the lease's token and the results that are not saved."""
        with self._lock:
            return self._token, list(self._results)

    def drop(self, count: int) -> None:
        """Forget the first ``count`` results, which are saved."""
        with self._lock:
            del self._results[:count]
            self._saved = self._oldest = time.monotonic()

    def is_worth_saving(self) -> bool:
        """Whether the results are so many, so large or so old that they should be saved."""
        with self._lock:
            return _is_worth_saving(self._results, time.monotonic() - self._saved)

    def is_overdue(self) -> bool:
        """Whether the oldest result has waited for SAVE_SECONDS."""
        with self._lock:
            return bool(self._results) and time.monotonic() - self._oldest >= SAVE_SECONDS


def _is_worth_saving(results: Sequence[Result], seconds: float) -> bool:
    if not results:
        return False
    size = sum(len(rendition.data) for result in results for rendition in result.renditions)
    return len(results) >= SAVE_IMAGES or size >= SAVE_BYTES or seconds >= SAVE_SECONDS
