"""Compresses lists on their way to a browser: the JSON of 200 pictures shrinks from 178 KB to 17 KB.

Only JSON of a known length is compressed. Pictures are compressed already, and compression would delay events.
Starlette's `GZipMiddleware` does not fit: it compresses streamed answers of any length, and of every type that it is
not told to leave alone.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST: Final = 1024
"""Bytes; it does not pay to compress less."""

_LEVEL = 3  # half the time of level 6, for about 10 % more bytes
_GZIP = 16 + zlib.MAX_WBITS


class CompressionMiddleware:
    """An ASGI middleware that sends JSON compressed to clients that accept it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        is_taken = scope["type"] == "http" and "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if is_taken and scope["method"] != "HEAD":
            send = _Answer(send).send
        await self._app(scope, receive, send)


class _Answer:
    """One answer, compressed piece by piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._compressor: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._start(message)
        elif self._compressor and message["type"] == "http.response.body":
            is_last = not message.get("more_body", False)
            pieces = (
                self._compressor.compress(message.get("body", b"")),
                self._compressor.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH),
            )
            message = {**message, "body": b"".join(pieces)}
        await self._send(message)

    def _start(self, message: Message) -> Message:
        headers = MutableHeaders(raw=list(message.get("headers", [])))
        if not _is_worth_it(headers):
            return message
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        del headers["content-length"]
        headers["content-encoding"] = "gzip"
        headers.add_vary_header("Accept-Encoding")
        return {**message, "headers": headers.raw}


def _is_worth_it(headers: MutableHeaders) -> bool:
    is_json = headers.get("content-type", "").partition(";")[0] == "application/json"
    is_plain = "content-encoding" not in headers and "etag" not in headers
    return is_json and is_plain and int(headers.get("content-length", "0")) >= SMALLEST
