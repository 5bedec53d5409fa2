"""Delivers answers that are sent before the request is complete.

Suppose that a server answers ``413`` and closes the connection while the client still sends. Then the client's system
gets a reset, and drops the answer. So the answer is sent at once, and the rest of the request is read and dropped.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS: Final = 30.0
"""How long a client may go on sending after its answer."""

LINGER_IDLE_SECONDS: Final = 2.0
"""How long it may send nothing during that time."""


class LingerMiddleware:
    """An ASGI middleware that drains the request before the connection closes, if the answer came first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, and receive what the application left unread."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        await self._app(scope, exchange.receive, exchange.send)
        await exchange.finish()


class _Exchange:
    """One request and its answer, and whether each is complete."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_received = False
        self._is_held = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_received = True
        return message

    async def send(self, message: Message) -> None:
        if not self._is_received and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        elif not self._is_received and not message.get("more_body", False):
            # the bytes are sent, but the server does not yet consider the answer complete, so it keeps the connection
            # open
            message = {**message, "more_body": True}
            self._is_held = True
        await self._send(message)

    async def finish(self) -> None:
        if not self._is_held:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._is_received:
                    async with asyncio.timeout(LINGER_IDLE_SECONDS):
                        await self.receive()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_body(scope: Scope) -> bool:
    # names are in lower case (ASGI 3.0); looking them up in Starlette's Headers takes 7 µs of each request
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
