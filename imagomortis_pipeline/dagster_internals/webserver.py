"""Puts a middleware before Dagster's webserver, whose command has no option for it."""

from __future__ import annotations

from typing import Any

from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware


def put_first(middleware: Middleware) -> None:
    """Let every webserver of this process pass its requests through the middleware first."""
    build = DagsterWebserver.build_middleware

    def build_all(webserver: DagsterWebserver[Any, Any]) -> list[Middleware]:
        return [middleware, *build(webserver)]

    DagsterWebserver.build_middleware = build_all  # type: ignore[assignment, method-assign]
