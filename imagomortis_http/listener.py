"""Opens and configures every listener."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from typing import Any, Final

import uvicorn

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_http.limits.connections import LimitedProtocol

ALL_IPV4: Final = "0.0.0.0"  # noqa: S104  # only for a part that is to listen on all addresses
ALL_IPV6: Final = "::"

_FILES: Final = 256
"""Open files that a process can need beside its connections."""


def open_sockets(address: str, port: int) -> list[socket.socket]:
    """Return the listening sockets of an address; `::` has one for IPv6 and one for IPv4. Raises OSError.

    One socket for both would show an IPv4 client as `::ffff:192.0.2.1`.
    """
    addresses = [address, ALL_IPV4] if address == ALL_IPV6 else [address]
    with ExitStack() as opened:
        found = [opened.enter_context(socket.create_server((one, port), family=_family(one))) for one in addresses]
        opened.pop_all()
    return found


def listen(settings: Settings, port: str) -> list[socket.socket]:
    """Return a part's sockets; ``port`` is the field of the settings with its number. Raises ConfigurationError."""
    number: int = getattr(settings, port)
    try:
        return open_sockets(settings.bind, number)
    except OSError as error:
        host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
        other = number + 1 if number < 65_535 else number - 1
        cause = str(error.strerror).partition(" (while")[0]  # `socket` adds the address
        raise ConfigurationError(
            f"Nothing can listen on {host}:{number} ({cause}). End the program that uses this port, or choose "
            f"another one, for example IMAGOMORTIS_{port.upper()}={other}."
        ) from error


def configuration(app: Any, connections: int, **further: Any) -> uvicorn.Config:
    """Return uvicorn's configuration for a listener with at most ``connections`` connections."""
    allow_connections(connections)
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=LimitedProtocol,
        ws="none",
        limit_concurrency=connections,
        log_config=None,
        access_log=False,
        server_header=False,
        **further,
    )


def allow_connections(connections: int) -> None:
    """Raise this process's limit of open files to what so many connections need, as far as this user may."""
    count = 2 * connections + _FILES  # a connection can need another connection, or a file
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard)
        )


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
