"""The deadlines of a request's body: for clients that send nothing, and for those that send hardly anything.

A slow client is served for as long as it keeps a pace of SLOWEST; only the time that is spent waiting for it counts.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.types import Message, Receive

from imagomortis.errors import RequestTimeout

SLOWEST: Final = 1024
"""Bytes a second; who sends fewer for long holds a place that others need."""

PATIENCE: Final = 5
"""A client may send so slowly for so many times the seconds in which it may send nothing."""


class Patience:
    """How long one client is waited for."""

    def __init__(self, idle_seconds: float) -> None:
        """Take how long the client may send nothing."""
        self._idle_seconds = idle_seconds
        self._most = idle_seconds * PATIENCE
        self._left = self._most

    async def next(self, receive: Receive) -> Message:
        """Return the next message; raises RequestTimeout when nothing or hardly anything comes for too long."""
        is_hasty = self._left < self._idle_seconds
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._idle_seconds, self._left)):
                message = await receive()
        except TimeoutError:
            what, seconds = ("Hardly anything", self._most) if is_hasty else ("Nothing", self._idle_seconds)
            raise RequestTimeout(
                f"{what} came for {seconds:g} seconds, so the request was ended. Check the connection, and send it "
                "again."
            ) from None
        self._left -= time.monotonic() - began
        # more patience for what has come, but none saved up that a fast client does not need
        self._left = min(self._left + len(message.get("body", b"")) / SLOWEST, self._most)
        return message
