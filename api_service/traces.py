"""Records requests about one image as spans of its trace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

from imagomortis import traces

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TracesMiddleware:
    """An ASGI middleware that records what is done to an image; it is installed only while traces are on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, and record it if its path names an image."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            image = scope.get("path_params", {}).get("image_id")
            if _is_uuid(image):
                name = f"{scope['method']} {scope['route'].path_format}"
                error = f"status {status}" if status >= 500 else None
                traces.note(name, UUID(str(image)), time.perf_counter() - began, error, status=status)


def _is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
