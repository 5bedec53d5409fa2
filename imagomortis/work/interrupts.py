"""Holds back the signals that ask a process to end, except at points where an exception does no harm.

The handlers of Dagster and of Python raise an exception, which can come between any two instructions: after a lease was
committed and before the worker knows it, or while finished images are saved. A second signal can interrupt even the
clean-up after the first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

Handler = Callable[[int, FrameType | None], object]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Interrupts:
    """Signals of the main thread: `held` holds them back, `allowed` lets them through; elsewhere both do nothing."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._handlers: dict[int, Handler] = {}
        self._is_allowed = False
        self._came: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back what comes in the block; at its end raise what the handler raises, unless something else is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in SIGNALS:
            if callable(handler := signal.getsignal(number)):  # the system's own end the process, or do nothing
                self._handlers[number] = handler
                signal.signal(number, self._take)
        try:
            yield
        finally:
            for held, handler in self._handlers.items():
                signal.signal(held, handler)
        self._let_through(None)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let through what comes in the block, and what came before.

        That includes what was let through already: Python drops an exception that is raised while it collects garbage.
        """
        self._is_allowed = True
        try:
            self._let_through(None)
            yield
        finally:
            self._is_allowed = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        if self._is_allowed:
            self._let_through(frame)

    def _let_through(self, frame: FrameType | None) -> None:
        if self._came is not None:
            self._is_allowed = False  # a second one would disturb what the first one set going
            self._handlers[self._came](self._came, frame)
