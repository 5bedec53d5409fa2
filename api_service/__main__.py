"""Runs the API as ``python -m api_service``, until it is stopped."""

from __future__ import annotations

import socket
import time

import uvicorn

from api_service.app import create_app
from api_service.live.feed import Feed
from api_service.picture_bytes.memory import keep_freed
from imagomortis import logs, privacy, traces
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.sandbox.confinement import hide
from imagomortis.settings import Settings
from imagomortis_http import metrics
from imagomortis_http.listeners import listen
from imagomortis_http.send_queue import all_sent
from imagomortis_http.serve import configuration

log = Log(__name__)


class Server(uvicorn.Server):
    """A server that ends the event streams when it is stopped, because they never end by themselves."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        """Take the feed whose watchers are dismissed at the end."""
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Dismiss the watchers, finish the current requests until their last byte is sent, and end."""
        until = time.monotonic() + (self.config.timeout_graceful_shutdown or 0)
        ports = {listener.getsockname()[1] for server in self.servers for listener in server.sockets}
        self._feed.dismiss()
        await super().shutdown(sockets)
        if not all([await all_sent(port, until) for port in ports]):
            log.warning("ended before all was sent")


def main() -> None:
    """Serve the API as the environment says; exit with 2 and a reason if that is not possible."""
    keep_freed()
    privacy.keep()
    try:
        settings = Settings.read()
        logs.configure("api", settings.log_level)
        traces.configure("api", settings.traces_url)
        hide(settings)
        listeners, server = _listen(settings), _server(settings)
    except ConfigurationError as error:
        logs.give_up("api", error.detail, code=2)
    server.run(listeners)


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        return listen(settings.bind, settings.api_port)
    except OSError as error:
        raise ConfigurationError(
            f"The API cannot listen at {settings.bind}, port {settings.api_port} ({error.strerror}): end what uses it, "
            "or set IMAGOMORTIS_API_PORT to a free one."
        ) from error


def _server(settings: Settings) -> Server:
    if settings.conninfo is None:
        raise ConfigurationError(
            "The API needs the catalog's database: set DATABASE_URL, for example "
            "DATABASE_URL=postgresql://imagomortis@localhost/imagomortis, or PGHOST and its family."
        )
    app = create_app(settings, settings.conninfo)
    try:
        metrics.serve(app.state.metrics.registry, settings.bind, settings.api_metrics_port)
    except OSError as error:
        raise ConfigurationError(
            f"The API's metrics cannot be at port {settings.api_metrics_port} ({error.strerror}): set "
            "IMAGOMORTIS_API_METRICS_PORT to a free one."
        ) from error
    config = configuration(
        app,
        settings.max_connections,
        forwarded_allow_ips=["127.0.0.1", "::1", settings.bind],  # our own front door
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    return Server(config, app.state.service.feed)


if __name__ == "__main__":
    main()
