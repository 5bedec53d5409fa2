"""Where a listener can be reached."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import psutil
import pytest

from imagomortis_http.listener import open_sockets
from tests.support.running_system import IPV4, IPV6, LOOPBACKS, free_ports

EVERY_ADDRESS = "::" if IPV6 in LOOPBACKS else "0.0.0.0"


def reached(address: str, port: int) -> str:
    """Connect, and return the address that the connection came from as the peer sees it."""
    with socket.create_connection((address, port), timeout=30) as connection:
        return str(connection.getsockname()[0])


@pytest.mark.parametrize(
    ("bind", "addresses"),
    [(EVERY_ADDRESS, LOOPBACKS), ("0.0.0.0", [IPV4]), *((address, [address]) for address in LOOPBACKS)],
)
def test_it_is_reached_at_each_of_its_addresses(bind: str, addresses: Sequence[str]) -> None:
    [port] = free_ports(1)
    listeners = open_sockets(bind, port)
    assert [reached(address, port) for address in addresses] == list(addresses)
    for listener in listeners:
        listener.close()


def test_a_client_by_ipv4_has_its_usual_address() -> None:
    [port] = free_ports(1)
    listeners = {listener.family: listener for listener in open_sockets(EVERY_ADDRESS, port)}
    with socket.create_connection(("127.0.0.1", port), timeout=30):
        connection, (host, *_) = listeners[socket.AF_INET].accept()
    assert host == "127.0.0.1"
    for opened in (connection, *listeners.values()):
        opened.close()


def test_if_one_address_is_taken_none_stays_open() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            open_sockets(EVERY_ADDRESS, port)
        listeners = [found for found in psutil.Process().net_connections("tcp") if found.laddr.port == port]
        assert [found.laddr.ip for found in listeners] == ["0.0.0.0"]
