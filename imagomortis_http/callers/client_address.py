"""Finds the address of a client behind reverse proxies."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class ClientAddressMiddleware:
    """An ASGI middleware that puts the client's address in the place of the proxy's.

    Each proxy adds the address that it saw to the end of the header, so what a client wrote itself stands further left.
    """

    def __init__(self, app: ASGIApp, header: str, proxies: int) -> None:
        """Take the header that is trusted, empty for none, and the number of proxies that add to it."""
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
    """Return the address of the client, as far as the server knows it."""
    return scope["client"][0] if scope.get("client") else "unknown"


def _parsed(entry: str) -> str | None:
    """Return an address without its port and brackets; None for what is no address."""
    for text in (entry, entry.rpartition(":")[0]):
        try:
            return str(ip_address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            continue
    return None
