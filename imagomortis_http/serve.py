"""Runs a service: it starts, listens, measures and ends as every other one does."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from imagomortis import logs, privacy, traces
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.sandbox.confinement import hide
from imagomortis.settings import Settings, secret_variables
from imagomortis_http import metrics
from imagomortis_http.listener import configuration, listen
from imagomortis_http.send_queue import all_sent

log = Log(__name__)


@dataclass(frozen=True)
class Service:
    """What a process serves. Ports are named by their fields of the settings."""

    app: ASGIApp
    port: str
    registry: CollectorRegistry | None = None
    """The metrics, if there are any."""
    metrics_port: str = ""
    on_stop: Callable[[], None] = lambda: None
    """Called when the server is told to stop, before it waits for the current requests."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of uvicorn."""


class Server(uvicorn.Server):
    """A server that finishes the current requests until their last byte is sent."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None] = lambda: None) -> None:
        """Take what is called when the server is told to stop, for example to end streams that never end."""
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the current requests, and end."""
        until = time.monotonic() + (self.config.timeout_graceful_shutdown or 0)
        ports = {listener.getsockname()[1] for server in self.servers for listener in server.sockets}
        self._on_stop()
        await super().shutdown(sockets)
        if not all([await all_sent(port, until) for port in ports]):
            log.warning("ended before all was sent")


def serve(part: str, create: Callable[[Settings], Service]) -> None:
    """Serve until a signal comes; exit with 2 and a line that says what to do if that is not possible.

    ``create`` raises ConfigurationError if the settings do not fit.
    """
    privacy.keep()
    try:
        settings = Settings.read()
        privacy.forget(secret_variables())
        logs.configure(part, settings.log_level)
        traces.configure(part, settings.traces_url)
        hide(settings)
        service = create(settings)
        if service.registry is not None:
            metrics.serve(service.registry, settings, service.metrics_port)
        listeners = listen(settings, service.port)
    except ConfigurationError as error:
        logs.give_up(part, error.detail, code=2)
    config = configuration(service.app, settings.max_connections, **service.options)
    try:
        Server(config, service.on_stop).run(listeners)
    except KeyboardInterrupt:
        # the server has ended in order and passes the signal on; a thread that is still at work must not hold it up
        os._exit(128 + signal.SIGINT)
