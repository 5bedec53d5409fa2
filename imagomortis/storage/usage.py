"""Counts the requests to an object store, until the catalog takes the figures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Use:
    """The requests of one operation: their number, how many failed, their seconds and their bytes."""

    operation: str
    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    bytes: int = 0


class Usage:
    """The figures of one storage; several threads can add to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Use] = {}

    @contextmanager
    def noting(self, operation: str) -> Iterator[list[int]]:
        """Count the request that the block makes; the block can append the bytes that it moved to the list."""
        sizes: list[int] = []
        began, errors = time.perf_counter(), 1
        try:
            yield sizes
            errors = 0
        finally:
            self.put_back([Use(operation, 1, errors, time.perf_counter() - began, sum(sizes))])

    def take(self) -> list[Use]:
        """Return the figures and reset them to zero."""
        with self._lock:
            found, self._found = self._found, {}
        return list(found.values())

    def put_back(self, uses: Iterable[Use]) -> None:
        """Add figures, for example those that the catalog could not store."""
        with self._lock:
            for each in uses:
                known = self._found.get(each.operation, Use(each.operation))
                self._found[each.operation] = replace(
                    known,
                    requests=known.requests + each.requests,
                    errors=known.errors + each.errors,
                    seconds=known.seconds + each.seconds,
                    bytes=known.bytes + each.bytes,
                )
