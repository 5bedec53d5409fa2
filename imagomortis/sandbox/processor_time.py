"""Limits the processor time of a block of code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def processor_limit(seconds: float, error: Exception) -> Iterator[None]:
    """Raise ``error`` in the block after ``seconds`` of processor time; for the main thread only.

    Time spent waiting for a processor does not count, so a busy machine does not end fast work.
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
