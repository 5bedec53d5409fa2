"""Runs the uploader: ``python -m upload_service``."""

from __future__ import annotations

import logging
import os
import signal

import uvicorn

from imagomortis import logs, privacy, traces
from imagomortis.errors import ConfigurationError
from imagomortis.sandbox.confinement import hide
from imagomortis.settings import Settings
from imagomortis_http import metrics
from imagomortis_http.listeners import listen
from imagomortis_http.serve import configuration
from upload_service.app import create_app


def main() -> None:
    """Serve until a signal comes, then let uploads end; exit with a text that says what to do if it cannot start."""
    privacy.keep()
    try:
        settings = Settings.read()
        logs.configure("uploader", settings.log_level)
        traces.configure("uploader", settings.traces_url)
        hide(settings)
        # every damaged form is a line of ours already
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        serve(settings)
    except ConfigurationError as error:
        logs.give_up("uploader", error.detail)


def serve(settings: Settings) -> None:
    """Serve uploads and metrics; raises ConfigurationError if a port or the spool cannot be had."""
    app = create_app(settings)
    try:
        listeners = listen(settings.bind, settings.upload_port)
    except OSError as error:
        raise ConfigurationError(
            f"The uploader cannot listen on {settings.bind}:{settings.upload_port} ({error.strerror}). Name another "
            "port, for example IMAGOMORTIS_UPLOAD_PORT=31082."
        ) from error
    try:
        stop_metrics = metrics.serve(app.state.metrics.registry, settings.bind, settings.upload_metrics_port)
    except OSError as error:
        raise ConfigurationError(
            f"The metrics cannot listen on {settings.bind}:{settings.upload_metrics_port} ({error.strerror}). Name "
            "another port, for example IMAGOMORTIS_UPLOAD_METRICS_PORT=31092."
        ) from error
    try:
        uvicorn.Server(_config(app, settings)).run(listeners)
    except KeyboardInterrupt:
        # the server has ended in order and passes the signal on; a picture that is still being checked must not hold up
        os._exit(128 + signal.SIGINT)
    finally:
        stop_metrics()


def _config(app: object, settings: Settings) -> uvicorn.Config:
    return configuration(
        app,
        settings.max_connections,
        lifespan="on",
        forwarded_allow_ips=["127.0.0.1", "::1", settings.bind],  # our own front door
        timeout_graceful_shutdown=settings.stop_seconds,
    )


if __name__ == "__main__":
    main()
