"""What is left to send is told by the kernel, also of connections that nobody holds any more."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from imagomortis_http.send_queue import all_sent, unsent

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: connections are told by Linux"),
]


@pytest.fixture
def slow() -> Iterator[tuple[int, socket.socket]]:
    """A port, and a client of it that has not read what was sent before the connection was closed there."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.getsockname())
        connection, _ = server.accept()
        with connection:
            connection.setblocking(False)
            connection.send(bytes(10_000_000))
        yield server.getsockname()[1], client


async def test_bytes_that_a_client_has_not_read_are_left_to_send(slow: tuple[int, socket.socket]) -> None:
    port, client = slow
    assert unsent(port) > 10_000
    began = time.monotonic()
    assert not await all_sent(port, began + 0.2)
    assert 0.2 <= time.monotonic() - began < 30

    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: client.recv(65_536), b"")])
    reader.start()
    assert await all_sent(port, time.monotonic() + 60)
    await asyncio.to_thread(reader.join)
    assert unsent(port) == 0


async def test_a_port_without_connections_has_nothing_to_send() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert unsent(server.getsockname()[1]) == 0
