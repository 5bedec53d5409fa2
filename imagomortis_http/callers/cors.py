"""Lets scripts of named origins, and of no others, use a service (cross-origin resource sharing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from imagomortis_http.callers.origin import normal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS: Final = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

EXPOSED: Final = ", ".join(
    (
        *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Link", "Retry-After"),
        *("Location", "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version"),
        *("Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset"),
    )
)
"""Response headers that those scripts may read, besides those that browsers always allow."""

REMEMBER_SECONDS: Final = 600
"""How long a browser may cache the answer to a preflight."""


class CorsMiddleware:
    """An ASGI middleware that answers preflights of the allowed origins, and lets their scripts read every answer."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        """Take the exact origins; without any, nothing changes."""
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
    # also if the origin is not allowed, so that a cache does not give this answer to another page
    headers.add_vary_header("Origin")
    # for plain <img> elements on pages of another port of the same site
    headers["Cross-Origin-Resource-Policy"] = "same-site"
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = EXPOSED


def _preflight(headers: Headers) -> Response:
    """Return the answer that allows everything the browser asks for."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": headers.get("access-control-request-headers", ""),
            "Access-Control-Max-Age": str(REMEMBER_SECONDS),
        },
    )
