"""Runs the API as ``python -m api_service``, until it is stopped."""

from __future__ import annotations

from api_service.app import create_app
from api_service.picture_bytes.memory import keep_freed
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_http.serve import Service, serve


def main() -> None:
    """Serve the API as the environment says."""
    keep_freed()
    serve("api", create_service)


def create_service(settings: Settings) -> Service:
    """Return the API and its metrics; raises ConfigurationError without a database."""
    if settings.conninfo is None:
        raise ConfigurationError(
            "The API needs the catalog's database: set DATABASE_URL, for example "
            "DATABASE_URL=postgresql://imagomortis@localhost/imagomortis, or PGHOST and its family."
        )
    app = create_app(settings, settings.conninfo)
    return Service(
        app,
        "api_port",
        app.state.metrics.registry,
        "api_metrics_port",
        on_stop=app.state.service.feed.dismiss,  # event streams never end by themselves
        options={
            "forwarded_allow_ips": ["127.0.0.1", "::1", settings.bind],  # our own front door
            "timeout_keep_alive": 75,
            "timeout_graceful_shutdown": settings.stop_seconds,
        },
    )


if __name__ == "__main__":
    main()
