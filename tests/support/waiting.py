"""Waits for conditions, as a test that waits for a time depends on how fast the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.02, 0.25


def wait_until(condition: Callable[[], T], seconds: float = 120, tell: Callable[[], str] = str) -> T:
    """Return what the condition finds once that counts as true.

    Fails after so many seconds with what the condition found last, and with what ``tell`` says of it.
    """
    for found, pause in _looks(condition, seconds, tell):
        if found:
            return found
        time.sleep(pause)
    raise AssertionError("the looks end with one that raises")


async def wait_for(condition: Callable[[], T], seconds: float = 120, tell: Callable[[], str] = str) -> T:
    """Do the same in an event loop, which goes on meanwhile."""
    for found, pause in _looks(condition, seconds, tell):
        if found:
            return found
        await asyncio.sleep(pause)
    raise AssertionError("the looks end with one that raises")


def _looks(condition: Callable[[], T], seconds: float, tell: Callable[[], str]) -> Iterator[tuple[T, float]]:
    """Look again and again, after ever longer pauses, and once more when the time is over.

    Looking takes processor time from what is waited for, so a long wait has few looks.
    """
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        found = condition()
        yield found, min(max(LEAST_PAUSE_SECONDS, waited / 10), MOST_PAUSE_SECONDS)
        if waited > seconds:
            raise AssertionError(f"It did not happen within {seconds} s; found last: {found!r}\n{tell()}")
