"""Sends requests: by httpx, with the patience of a minute for busy machines, and with heads of any size."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing, suppress
from functools import partial
from typing import Any

import httpx

SECONDS = 60

# otherwise httpx reads every root certificate for each request, which takes 30 ms of a processor
_over_plain_http: dict[str, Any] = {"timeout": SECONDS, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}

get = partial(httpx.get, **_over_plain_http)
head = partial(httpx.head, **_over_plain_http)
patch = partial(httpx.patch, **_over_plain_http)
post = partial(httpx.post, **_over_plain_http)
stream = partial(httpx.stream, **_over_plain_http)

HEAD_BYTES = 64 * 1024


def status_for_head_of(size: int, port: int, path: str = "/") -> tuple[int, bool]:
    """Send a head of so many bytes; return the answer's status, and whether the connection is closed after it."""
    first = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Filler: ".encode()
    end = b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with suppress(ConnectionError):  # the server may close while the rest is still sent
            connection.sendall(first + b"x" * (size - len(first) - len(end)) + end)
        with closing(http.client.HTTPResponse(connection)) as response:
            response.begin()
            response.read()
            is_closed = response.getheader("connection") == "close" and connection.recv(1) == b""
            return response.status, is_closed
