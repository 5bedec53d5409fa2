"""Finds the address of a client behind reverse proxies."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class ClientAddressMiddleware:
    """An ASGI middleware that replaces the proxy's address by the client's.

    Each proxy appends the address that it saw to the header. So entries that the client wrote itself stand further
    left.
    """

    def __init__(self, app: ASGIApp, header: str, proxies: int) -> None:
        """Take the trusted header (empty for none), and the number of proxies that append to it."""
        self._app = app
        self._header = header
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if self._header and scope["type"] == "http":
            lines = Headers(scope=scope).getlist(self._header)
            entries = [entry.strip() for line in lines for entry in line.split(",")]
            address = _parsed(entries[-self._proxies]) if len(entries) >= self._proxies else None
            if address:
                scope = {**scope, "client": (address, 0)}
        await self._app(scope, receive, send)


def client_address(scope: Scope) -> str:
    """Return the client's address, or "unknown"."""
    return scope["client"][0] if scope.get("client") else "unknown"


def network_of(address: str) -> str:
    """Return the key of a client: its IPv4 address, or the 64 bits that an IPv6 client cannot choose itself."""
    if ":" not in address:
        return address
    try:
        ipv6 = IPv6Address(address)
    except ValueError:  # a proxy on this machine can pass on anything
        return address
    return str(ipv6.ipv4_mapped or f"{int(ipv6) >> 64:x}::")


def _parsed(entry: str) -> str | None:
    """Return an address without its port and brackets; None if it is not an address."""
    for text in (entry, entry.rpartition(":")[0]):
        try:
            return str(ip_address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            continue
    return None
