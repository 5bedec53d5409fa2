"""The loopback addresses of this machine."""

from __future__ import annotations

import socket

IPV4, IPV6 = "127.0.0.1", "::1"


def _is_here(address: str) -> bool:
    """Tell whether this machine has the address; many containers have no IPv6."""
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError:
        return False
    return True


LOOPBACKS = tuple(filter(_is_here, (IPV4, IPV6)))
"""The loopback addresses that this machine has, IPv4 first."""
