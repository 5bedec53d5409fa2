"""Waits for conditions, as a test that waits for a time depends on how fast the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.02


def wait_until(condition: Callable[[], T], seconds: float = 120, tell: Callable[[], str] = str) -> T:
    """Return what the condition finds once that counts as true.

    Fails after so many seconds with what the condition found last, and with what ``tell`` says of it.
    """
    for found in _looks(condition, seconds, tell):
        if found:
            return found
        time.sleep(PAUSE_SECONDS)
    raise AssertionError("the looks end with one that raises")


async def wait_for(condition: Callable[[], T], seconds: float = 120, tell: Callable[[], str] = str) -> T:
    """Do the same in an event loop, which goes on meanwhile."""
    for found in _looks(condition, seconds, tell):
        if found:
            return found
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the looks end with one that raises")


def _looks(condition: Callable[[], T], seconds: float, tell: Callable[[], str]) -> Iterator[T]:
    """Look again and again, and once more when the time is over."""
    deadline = time.monotonic() + seconds
    is_over = False
    while True:
        is_over = time.monotonic() > deadline
        found = condition()
        yield found
        if is_over:
            raise AssertionError(f"It did not happen within {seconds} s; found last: {found!r}\n{tell()}")
