"""Limits the size of request bodies: the API takes ids, recipes and small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from imagomortis.errors import ImagoMortisError
from imagomortis_http.callers.access import SESSION_PATHS
from imagomortis_http.limits.body_deadline import BodyDeadline
from imagomortis_http.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SIGN_IN_BYTES: Final = 4096
"""The limit for a body from a client that has not shown a token yet, in bytes."""


class RequestTooLarge(ImagoMortisError):
    """A request whose body is larger than any sensible one."""

    status = 413
    slug = "request-too-large"
    title = "The request is too large"


class BodyLimitMiddleware:
    """An ASGI middleware that reads the body before the application, and refuses one that is too large or too slow."""

    def __init__(self, app: ASGIApp, most: int, idle_seconds: float) -> None:
        """Take the largest number of bytes, and how many seconds a client may send nothing."""
        self._app = app
        self._most = most
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it. A client that leaves before the end of its body gets no answer."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        most = min(self._most, SIGN_IN_BYTES) if scope["path"] in SESSION_PATHS else self._most
        try:
            body = await self._read(Headers(scope=scope), receive, most)
        except ImagoMortisError as error:
            await problem_response(error)(scope, receive, send)
            return
        if body is None:
            return
        is_given = False

        async def replay() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive, most: int) -> bytes | None:
        """Return the body; None if the client leaves. Raises RequestTooLarge and RequestTimeout."""
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise _refusal(most)
        body, deadline, is_more = bytearray(), BodyDeadline(self._idle_seconds), True
        while is_more:
            message = await deadline.next(receive)
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise _refusal(most)
            is_more = message.get("more_body", False)
        return bytes(body)


def _refusal(most: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body of this request may have {most:,} bytes. Name fewer images at a time, or send a smaller picture."
    )
