"""Lets pages of named origins use a service from their scripts (cross-origin resource sharing), and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from imagomortis_http.callers.origin import normal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS: Final = "DELETE, GET, HEAD, OPTIONS, PATCH, POST"

EXPOSED: Final = ", ".join(
    (
        *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Link", "Retry-After"),
        *("Location", "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version"),
        *("Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset"),
    )
)
"""Headers of answers that scripts of the pages may read, besides those that they always may."""

REMEMBER_SECONDS: Final = 600
"""How long a browser may remember what it was allowed."""


class CorsMiddleware:
    """An ASGI middleware that answers preflights of the origins, and lets their scripts read every answer."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        """Take the application, and the exact origins; without any, nothing changes."""
        self._app = app
        self._origins = frozenset(normal(origin) for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http" or not self._origins:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        is_allowed = normal(origin) in self._origins

        async def share(message: Message) -> None:
            if message["type"] == "http.response.start":
                _share(MutableHeaders(scope=message), origin if is_allowed else None)
            await send(message)

        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        answers = _preflight(headers) if is_preflight and is_allowed else self._app
        await answers(scope, receive, share)


def _share(headers: MutableHeaders, origin: str | None) -> None:
    # also where nothing is allowed: a cache must not give this answer to another page
    headers.add_vary_header("Origin")
    # for pictures in plain <img> elements, of pages on another port of the same site
    headers["Cross-Origin-Resource-Policy"] = "same-site"
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = EXPOSED


def _preflight(headers: Headers) -> Response:
    """Return the answer that allows what the browser asks for."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": headers.get("access-control-request-headers", ""),
            "Access-Control-Max-Age": str(REMEMBER_SECONDS),
        },
    )
