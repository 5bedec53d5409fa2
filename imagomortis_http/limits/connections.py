"""Extends uvicorn's HTTP protocol by limits that hold before the client is known.

The head of a request may have HEAD_BYTES and take HEAD_SECONDS, and a client must read its answers. A listener accepts
a limited number of connections. Deadlines of request bodies are in `body_deadline`.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
import time
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from imagomortis.errors import ImagoMortisError, Unavailable
from imagomortis.logs import Log
from imagomortis_http.limits.body_deadline import SLOWEST
from imagomortis_http.problems import problem_response

log = Log(__name__)

HEAD_BYTES: Final = 64 * 1024
"""Limit of a head, and of a chunked body's framing and trailers between two pieces of the body."""

HEAD_SECONDS: Final = 20.0
"""How long a connection may take to send the head of a request."""

READ_SECONDS: Final = 60.0
"""How long a client may read less than SLOWEST bytes a second of an answer that is ready to be sent."""

REFUSED_SECONDS: Final = 2.0
"""How long a client may go on sending after its head was refused, so that it can read the answer."""


class HeadTooLarge(ImagoMortisError):
    """A request whose line and headers are larger than any sensible ones."""

    status = 431
    slug = "head-too-large"
    title = "The head of the request is too large"


class LimitedProtocol(HttpToolsProtocol):
    """Refuses large heads, closes idle connections, and enforces uvicorn's ``limit_concurrency`` for connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take uvicorn's arguments."""
        super().__init__(*args, **kwargs)
        # with its own limit, uvicorn would also refuse requests on connections that were accepted long ago
        self._most_connections, self.limit_concurrency = self.limit_concurrency, None
        self._since = time.monotonic()
        self._overhead = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._is_refused = False
        self._reading: asyncio.TimerHandle | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection if there is room, and wait for its first request."""
        super().connection_made(transport)
        if self._has_room():
            self._close_in(HEAD_SECONDS)
        else:
            self._refuse(Unavailable("Too many clients are connected right now. Try again in a moment.", retry_after=5))
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait until the client has read more, but not for ever."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Go on: the client has read enough."""
        self._stop_watching()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Pass on what the client sends, until the head is too large."""
        rest = memoryview(data)
        while rest and not self._is_refused and not self.transport.is_closing():
            portion = rest[: HEAD_BYTES - self._overhead]
            rest = rest[len(portion) :]
            self._overhead += len(portion)
            super().data_received(portion)  # type: ignore[arg-type]  # the parser accepts any buffer
            if self._overhead >= HEAD_BYTES:
                self._refuse(HeadTooLarge(f"The line and the headers of a request may have {HEAD_BYTES:,} bytes."))
        is_waiting = not self.is_at_work and self.transport.get_protocol() is self  # and has not become a WebSocket
        if self._deadline is None and is_waiting:  # uvicorn stopped its keep-alive timer at the first byte
            self._close_in(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """Wait for the end of the head."""
        super().on_message_begin()
        self._close_in(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Stop waiting: the body is the application's business."""
        self._stop_waiting()
        self._overhead = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Restart the count."""
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Restart the count."""
        self._overhead = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note when the connection became idle."""
        self._since = time.monotonic()
        super().on_response_complete()

    def _has_room(self) -> bool:
        """Return whether the connection may stay; the connection that has been idle longest is closed to make room."""
        if self._most_connections is None or len(self.connections) <= self._most_connections:
            return True
        others = (each for each in self.connections if each is not self and isinstance(each, LimitedProtocol))
        waiting = [each for each in others if not each.is_at_work]
        if waiting:
            min(waiting, key=lambda each: each._since)._close()
        return bool(waiting)

    def _refuse(self, error: ImagoMortisError) -> None:
        client = self.client[0] if self.client else None
        log.info("connection refused", client=client, error=error.detail, kind=error.slug)
        self._is_refused = True
        if self.is_at_work:  # the answer to an earlier request is still being sent
            self._close()
            return
        self.transport.write(_answer(error))
        self.transport.write_eof()
        self._close_in(REFUSED_SECONDS)

    def _close_in(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._close)

    def _watch_reader(self) -> None:
        self._reading = self.loop.call_later(READ_SECONDS, self._check_reader, self._unread())

    def _check_reader(self, before: int) -> None:
        """Cut the connection if the client hardly reads: it keeps a place and the memory of its answer."""
        if before - self._unread() >= SLOWEST * READ_SECONDS:
            self._watch_reader()
            return
        log.info("slow reader cut off", client=self.client[0] if self.client else None)
        self.transport.abort()

    def _unread(self) -> int:
        """Return how many bytes of answers the client's system has not acknowledged yet."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        in_kernel = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0]
        return self.transport.get_write_buffer_size() + int(in_kernel)

    def _stop_watching(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._stop_waiting()
        self.connections.discard(self)  # a closing connection takes no place
        self.transport.close()


def _answer(error: ImagoMortisError) -> bytes:
    response = problem_response(error)
    headers = [*response.raw_headers, (b"connection", b"close")]
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
