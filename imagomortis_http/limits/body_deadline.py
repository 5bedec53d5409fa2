"""Ends requests whose body stalls, or arrives too slowly.

A slow client is served as long as it sends SLOWEST bytes a second. Only the time spent waiting for it counts.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.types import Message, Receive

from imagomortis.errors import RequestTimeout

SLOWEST: Final = 1024
"""Bytes a second. A client that stays slower than this would hold a place that others need."""

PATIENCE: Final = 5
"""A client can be this slow for PATIENCE times the seconds for which it may send nothing."""


class BodyDeadline:
    """Limits how long one client may take to send a body."""

    def __init__(self, idle_seconds: float) -> None:
        """Take how long the client may send nothing, in seconds."""
        self._idle_seconds = idle_seconds
        self._most = idle_seconds * PATIENCE
        self._left = self._most

    async def next(self, receive: Receive) -> Message:
        """Return the next message; raise RequestTimeout if the client stalls or has been too slow for too long."""
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
        # received bytes earn more time, up to the initial allowance, so a fast client cannot save time up
        self._left = min(self._left + len(message.get("body", b"")) / SLOWEST, self._most)
        return message
