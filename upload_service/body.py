"""Reads the body of a request as it arrives, and detects clients that are slow or have left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from imagomortis.errors import PictureTooLarge
from imagomortis_http.limits.body_deadline import BodyDeadline

T = TypeVar("T")

MIB: Final = 1024 * 1024

FORM_BYTES: Final = 256 * 1024
"""The bytes that a form may have besides its files: boundaries, headers, the recipe."""


class Body:
    """The bytes that a client sends with one request."""

    def __init__(self, headers: Headers, receive: Receive, max_bytes: int, idle_seconds: float) -> None:
        """Take the largest number of bytes of all pictures, and how many seconds a client may send nothing."""
        self._receive = receive
        self._max_bytes = max_bytes
        length = headers.get("content-length", "")
        self._announced = int(length) if length.isdecimal() else 0
        self._received = 0
        self._deadline = BodyDeadline(idle_seconds)

    @property
    def remaining(self) -> int:
        """The number of missing bytes; 0 if the client has not announced a length."""
        return max(0, self._announced - self._received)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come.

        Raises PictureTooLarge if there are too many bytes: before the first one, if the client announced their number.
        Raises RequestTimeout if the client stalls or is too slow, and ClientDisconnect if it leaves.
        """
        self._check(self._announced)
        is_more = True
        while is_more:
            message = await self._next()
            is_more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                self._received += len(chunk)
                self._check(self._received)
                yield chunk

    async def until_gone(self) -> None:
        """Wait until the client has left. Call it after the last chunk."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work``; cancel it and raise ClientDisconnect if the client leaves. Call it after the last chunk."""
        working = asyncio.create_task(work)
        leaving = asyncio.create_task(self.until_gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            return working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.wait({working, leaving})

    def _check(self, count: int) -> None:
        if count > self._max_bytes + FORM_BYTES:
            raise PictureTooLarge(
                f"The request is larger than {self._max_bytes / MIB:.4g} MiB, the limit for all pictures of one "
                "request. Make the picture smaller, or send several pictures one by one."
            )

    async def _next(self) -> Message:
        message = await self._deadline.next(self._receive)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message
