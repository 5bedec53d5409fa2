"""Serves a part's metrics to Prometheus, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Message
from uvicorn.server import ServerState

from imagomortis.settings import Settings
from imagomortis_http.limits.connections import LimitedProtocol
from imagomortis_http.limits.early_answers import LingerMiddleware
from imagomortis_http.listener import configuration, listen

CONNECTIONS: Final = 32
"""Most connections at the metrics listener."""

STOP_SECONDS: Final = 2.0
"""How long a process that ends waits for a scrape, which itself can wait for a database or a disk."""


def serve(registry: CollectorRegistry, settings: Settings, port: str) -> Callable[[], None]:
    """Answer Prometheus in a thread; return the function that stops it.

    ``port`` is the field of the settings with its number. Raises ConfigurationError if it cannot be used.
    """
    listeners = listen(settings, port)
    config = configuration(LingerMiddleware(_application(registry)), CONNECTIONS, lifespan="off")
    loop, is_over = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=_run, args=(loop, listeners, config, is_over), name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(STOP_SECONDS)

    return stop


def _application(registry: CollectorRegistry) -> ASGIApp:
    """Return Prometheus's own application, which gets no request body."""
    metrics: ASGIApp = make_asgi_app(registry)
    return lambda scope, _, send: metrics(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _run(
    loop: asyncio.AbstractEventLoop, listeners: Sequence[socket.socket], config: uvicorn.Config, is_over: asyncio.Event
) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(listeners, config, is_over))


async def _serve(listeners: Sequence[socket.socket], config: uvicorn.Config, is_over: asyncio.Event) -> None:
    """Serve as uvicorn does, but without its log lines, and without polling for the end ten times a second."""
    config.load()
    state = ServerState()
    connect = partial(LimitedProtocol, config=config, server_state=state, app_state={})
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(connect, sock=listener) for listener in listeners]
    await is_over.wait()
    for server in servers:
        server.close()
    for connection in state.connections:
        connection.transport.abort()
