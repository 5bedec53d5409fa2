"""A faulty proxy in front of an HTTP server: it refuses, delays, answers itself, or cuts off."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "refuse", "slow", "503", "429", "cut off", "short"]

SLOW_SECONDS = 2.0


@dataclass
class Proxy:
    """A proxy whose fault a test can change at any time. It closes the connection after each answer.

    ``requests`` counts the requests. The first ``faultless`` ones have no fault, and those after ``faults`` faulty ones
    have none.
    """

    server: str
    address: str = ""
    fault: Fault = "none"
    faultless: int = 0
    faults: float = float("inf")
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> Fault:
        with self.lock:
            self.requests += 1
            if self.fault == "none" or self.faults <= 0 or self.requests <= self.faultless:
                return "none"
            self.faults -= 1
            return self.fault


@contextmanager
def in_front_of(server: str) -> Iterator[Proxy]:
    """Lend a proxy in front of the server with that address."""
    proxy = Proxy(server)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # the client may hang up
                _answer(proxy, self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        proxy.address = f"http://127.0.0.1:{listener.server_address[1]}"
        threading.Thread(target=listener.serve_forever, args=[0.02], daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown()


def _answer(proxy: Proxy, client: socket.socket) -> None:
    fault = proxy.next_fault()
    if fault == "refuse":
        return
    head, body = _message(client, half=fault == "cut off")
    if fault == "slow":
        time.sleep(SLOW_SECONDS)
    if fault in {"503", "429"}:
        client.sendall(f"HTTP/1.1 {fault} Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        return
    parts = urlsplit(proxy.server)
    with socket.create_connection((parts.hostname, parts.port)) as server:
        server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
        if fault == "cut off":
            return
        answer = b"".join(iter(lambda: server.recv(65536), b""))
    client.sendall(_shortened(answer) if fault == "short" else answer)


def _message(client: socket.socket, *, half: bool) -> tuple[bytes, bytes]:
    """Read a request: its head, and its body, or only the first half of that."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = client.recv(65536)
        if not received:
            raise ConnectionError
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0]) if lengths else 0
    while len(body) < (length // 2 if half else length):
        received = client.recv(65536)
        if not received:
            raise ConnectionError
        body += received
    return head + b"\r\n\r\n", body[: length // 2] if half else body


def _shortened(answer: bytes) -> bytes:
    """Return an answer with half of its body, and that length."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    half = body[: len(body) // 2]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(half)]) + b"\r\n\r\n" + half
