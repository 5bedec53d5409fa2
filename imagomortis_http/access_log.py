"""Writes the access log: one JSON line per request, once its answer is complete."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from imagomortis.logs import Log
from imagomortis_http.callers.access import OPEN_PATHS
from imagomortis_http.callers.client_address import client_address

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = Log(__name__)


class AccessLogMiddleware:
    """An ASGI middleware that logs client, method, path, status, bytes and seconds, but no query and no header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, sent = 0, 0

        async def watch(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            # status 0 means that the client went away before the answer began
            write = log.debug if scope["path"] in OPEN_PATHS else log.info
            write(
                "request",
                client=client_address(scope),
                method=scope["method"],
                path=scope["path"],
                status=status,
                bytes=sent,
                seconds=round(time.perf_counter() - began, 4),
            )
