"""Ends a piece of work that takes too much processor time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def processor_limit(seconds: float, error: Exception) -> Iterator[None]:
    """Raise ``error`` in the block when it has taken so many seconds of processor time; for the main thread only.

    Time in which the process waits for its turn does not count, so that a busy machine ends nothing that is fast.
    """

    def end(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
