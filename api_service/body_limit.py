"""The limit of what a request may bring: the API takes ids and recipes, never pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from imagomortis.errors import ImagoMortisError
from imagomortis.http.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestTooLarge(ImagoMortisError):
    """A request with a larger body than any that makes sense."""

    status = 413
    slug = "request-too-large"
    title = "The request is too large"


class BodyLimitMiddleware:
    """An ASGI middleware that reads a body before anyone else does, and refuses one that is too large."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        """Take the application, and the largest number of bytes."""
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        try:
            messages = await self._read(Headers(scope=scope), receive)
        except RequestTooLarge as error:
            await problem_response(error)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> list[Message]:
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._most:
            raise self._refusal()
        messages: list[Message] = []
        size = 0
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if size > self._most:
                raise self._refusal()
        return messages

    def _refusal(self) -> RequestTooLarge:
        return RequestTooLarge(f"A request's body may have {self._most:,} bytes. Name fewer images at a time.")
