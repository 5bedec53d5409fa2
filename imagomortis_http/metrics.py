"""Serves a part's metrics to Prometheus, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from imagomortis_http.limits.connections import LimitedProtocol
from imagomortis_http.limits.early_answers import LingerMiddleware
from imagomortis_http.serve import configuration

CONNECTIONS: Final = 32
"""Most connections at the metrics listener."""

STOP_SECONDS: Final = 2.0
"""How long a process that ends waits for a scrape, which itself can wait for a database or a disk."""


def serve(registry: CollectorRegistry, address: str, port: int) -> Callable[[], None]:
    """Answer Prometheus in a thread; return the function that stops it. Raises OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family, dualstack_ipv6=family == socket.AF_INET6)
    config = configuration(LingerMiddleware(_Metrics(registry)), CONNECTIONS, lifespan="off")
    loop, is_over = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=_run, args=(loop, listener, config, is_over), name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(STOP_SECONDS)

    return stop


class _Metrics:
    """Prometheus's own application, which gets no request body."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._app: ASGIApp = make_asgi_app(registry)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        await self._app(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _run(
    loop: asyncio.AbstractEventLoop, listener: socket.socket, config: uvicorn.Config, is_over: asyncio.Event
) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(listener, config, is_over))


async def _serve(listener: socket.socket, config: uvicorn.Config, is_over: asyncio.Event) -> None:
    """Serve as uvicorn does, but without its log lines, and without polling for the end ten times a second."""
    config.load()
    state = ServerState()
    connect = partial(LimitedProtocol, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(connect, sock=listener)
    await is_over.wait()
    server.close()
    for connection in state.connections:
        connection.transport.abort()
