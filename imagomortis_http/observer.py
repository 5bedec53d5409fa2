"""Observes every request once, and tells the observers: the access log, and a service's metrics and traces."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagomortis_http.callers.client_address import client_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Observer = Callable[["Exchange"], None]


@dataclass(slots=True)
class Exchange:
    """A request and what was answered."""

    scope: Scope
    """The request as the application leaves it: with its route, and without a prefix of its path."""
    path: str
    """The path as the client sent it."""
    status: int = 0
    """0 means that the client left before the answer began."""
    sent: int = 0
    """The bytes of the answer's body."""
    start_seconds: float = 0.0
    """The time until the answer began."""
    seconds: float = 0.0
    """The time until the answer was complete."""

    @property
    def client(self) -> str:
        """The client's address, or "unknown"."""
        return client_address(self.scope)

    @property
    def method(self) -> str:
        """The method of the request."""
        return str(self.scope["method"])

    @property
    def route(self) -> str:
        """The route's path with the names of its parameters; empty if there is no such route."""
        return str(getattr(self.scope.get("route"), "path_format", ""))


class ObserverMiddleware:
    """An ASGI middleware that calls every observer after each answer, complete or not."""

    def __init__(self, app: ASGIApp, observers: Sequence[Observer]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, scope["path"])
        began = time.perf_counter()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.start_seconds = time.perf_counter() - began
            elif message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            exchange.seconds = time.perf_counter() - began
            for observe in self._observers:
                observe(exchange)
