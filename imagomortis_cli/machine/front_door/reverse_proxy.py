"""Passes HTTP requests on to a service behind the front door, streaming both ways at the same time.

An answer goes to the client at once, even before the end of the request. So a client that uploads a refused gigabyte
learns it early. A connection serves one request, so the service cannot have closed it in the meantime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import h11
from starlette.types import Message, Receive, Scope, Send

from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis_http.limits.body_deadline import BodyDeadline

log = Log(__name__)

HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""Headers that concern one connection only (RFC 9110, section 7.6.1)."""

CONNECT_SECONDS: Final = 5.0

_OURS_TO_SERVICE: Final = frozenset({b"expect", b"x-forwarded-for"})
_OURS_TO_CLIENT: Final = frozenset({b"date", b"server"})
_CHUNK = 65_536

Headers = list[tuple[bytes, bytes]]


class ServiceAway(Unavailable):
    """A service behind the front door that does not answer."""

    status = 502
    slug = "service-away"
    title = "A part of the system does not answer"


class _ClientGone(Exception):
    """The client went away before the answer was complete."""


@dataclass(frozen=True)
class Upstream:
    """A service behind the front door, as the ASGI application that passes requests on to it."""

    name: str
    host: str
    port: int
    idle_seconds: float
    """A client whose body stalls this long is cut off; one that sends very slowly, after five times as long."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back; end both when the client goes away.

        Raises ServiceAway and RequestTimeout before the answer has begun.
        """
        reader, writer = await self._connect()
        exchange = _Exchange(h11.Connection(h11.CLIENT, max_incomplete_event_size=_CHUNK), reader, writer)
        try:
            await self._exchange(exchange, scope, receive, send)
        except _ClientGone:
            log.debug("client gone", service=self.name, path=scope["path"])
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._away(error) from error
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(self.host, self.port)
        except OSError as error:
            raise self._away(error) from error

    async def _exchange(self, exchange: _Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        request = asyncio.create_task(exchange.send_request(scope, receive, self.idle_seconds))
        answer = asyncio.create_task(exchange.relay_answer(send))
        try:
            await asyncio.wait({request, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                # a service that accepts no more bytes can still answer; any other error ends the exchange
                with suppress(OSError):
                    await request
            await answer
        finally:
            for task in (request, answer):
                task.cancel()
            await asyncio.gather(request, answer, return_exceptions=True)

    def _away(self, error: Exception) -> ServiceAway:
        log.warning("service away", service=self.name, error=repr(error))
        return ServiceAway(
            f"The {self.name} does not answer right now. Nothing is lost; try again in a few seconds.", retry_after=5
        )


@dataclass(frozen=True)
class _Exchange:
    """One request and its answer on one connection."""

    connection: h11.Connection
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send_request(self, scope: Scope, receive: Receive, idle_seconds: float) -> None:
        """Send the request, then wait until the client is gone; raises _ClientGone, never returns."""
        await self._write(_request(scope))
        more, deadline = _has_body(scope), BodyDeadline(idle_seconds)
        while more:
            message = await _next(receive, deadline)
            if body := message.get("body"):
                await self._write(h11.Data(data=body))
            more = message.get("more_body", False)
        await self._write(h11.EndOfMessage())
        while (await receive())["type"] != "http.disconnect":
            pass
        raise _ClientGone

    async def relay_answer(self, send: Send) -> None:
        """Read the answer, and send it to the client as it arrives."""
        while True:
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                self.connection.receive_data(await self.reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                headers = _end_to_end(event.headers, besides=_OURS_TO_CLIENT)
                await send({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("closed without an answer")

    async def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        self.writer.write(self.connection.send(event) or b"")
        await self.writer.drain()


async def _next(receive: Receive, deadline: BodyDeadline) -> Message:
    message = await deadline.next(receive)
    if message["type"] == "http.disconnect":
        raise _ClientGone
    return message


def _request(scope: Scope) -> h11.Request:
    """Return the request for the service: path and query as the client wrote them, plus the client's address."""
    query: bytes = scope["query_string"]
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    headers = _end_to_end(scope["headers"], besides=_OURS_TO_SERVICE)
    given = dict(headers)
    host = given.get(b"host", b"")
    client = scope["client"][0] if scope.get("client") else "unknown"
    if _has_body(scope) and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"transfer-encoding", b"chunked"))
    headers += [
        *([] if host else [(b"host", b"localhost")]),
        (b"x-forwarded-for", client.encode()),
        # a proxy before this one knows better
        *([] if b"x-forwarded-host" in given else [(b"x-forwarded-host", host)]),
        *([] if b"x-forwarded-proto" in given else [(b"x-forwarded-proto", scope["scheme"].encode())]),
        (b"connection", b"close"),
    ]
    return h11.Request(method=scope["method"], target=path + (b"?" + query if query else b""), headers=headers)


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _end_to_end(headers: Iterable[tuple[bytes, bytes]], besides: frozenset[bytes]) -> Headers:
    """Return the headers to pass on, without those of one connection and those that ``Connection`` names."""
    headers = list(headers)
    named = {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}
    dropped = HOP_BY_HOP | besides | named
    return [(name, value) for name, value in headers if name not in dropped]
