"""Runs the uploader as ``python -m upload_service``, until it is stopped."""

from __future__ import annotations

import logging

from imagomortis.settings import Settings
from imagomortis_http.serve import Service, serve
from upload_service.app import create_app


def main() -> None:
    """Serve the uploader as the environment says."""
    # the uploader logs every damaged form itself
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    serve("uploader", create_service)


def create_service(settings: Settings) -> Service:
    """Return the uploader and its metrics; raises ConfigurationError for a spool that cannot be used."""
    app = create_app(settings)
    return Service(
        app,
        "upload_port",
        app.state.metrics.registry,
        "upload_metrics_port",
        options={
            "lifespan": "on",
            "forwarded_allow_ips": ["127.0.0.1", "::1", settings.bind],  # our own front door
            "timeout_graceful_shutdown": settings.stop_seconds,
        },
    )


if __name__ == "__main__":
    main()
