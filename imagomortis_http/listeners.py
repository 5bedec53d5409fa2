"""Opens the sockets that a part listens on."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Final

ALL_IPV4: Final = "0.0.0.0"  # noqa: S104  # only for a part that is to listen on all addresses
ALL_IPV6: Final = "::"


def listen(address: str, port: int) -> list[socket.socket]:
    """Return the listening sockets of an address; `::` has one for IPv6 and one for IPv4. Raises OSError.

    One socket for both would show an IPv4 client as `::ffff:192.0.2.1`.
    """
    addresses = [address, ALL_IPV4] if address == ALL_IPV6 else [address]
    with ExitStack() as opened:
        found = [opened.enter_context(socket.create_server((one, port), family=_family(one))) for one in addresses]
        opened.pop_all()
    return found


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
