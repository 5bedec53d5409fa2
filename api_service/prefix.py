"""Serves the API also below ``/api``, where the page has it on its own origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/api"


def prefix_of(request: Request) -> str:
    """Return the path below which the client reached the API."""
    return PREFIX if request.scope.get("raw_path", b"").startswith(f"{PREFIX}/".encode()) else ""


class PrefixMiddleware:
    """An ASGI middleware that removes the prefix from paths, so that every route answers with and without it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request by the path after the prefix."""
        if scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            scope["path"] = scope["path"].removeprefix(PREFIX)  # in place, so that the observers see the route
        await self._app(scope, receive, send)
