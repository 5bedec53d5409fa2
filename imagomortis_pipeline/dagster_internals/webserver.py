"""Puts a middleware and our limits before Dagster's webserver, whose command has no options for them."""

from __future__ import annotations

from functools import partial
from typing import Any

import uvicorn
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from imagomortis_http.limits.connections import LimitedProtocol
from imagomortis_http.listener import allow_connections


def put_first(middleware: Middleware) -> None:
    """Let every webserver of this process pass its requests through the middleware first."""
    build = DagsterWebserver.build_middleware

    def build_all(webserver: DagsterWebserver[Any, Any]) -> list[Middleware]:
        return [middleware, *build(webserver)]

    DagsterWebserver.build_middleware = build_all  # type: ignore[assignment, method-assign]


def limit(connections: int) -> None:
    """Limit the connections and request heads of every webserver in this process, as in our own listeners."""
    allow_connections(connections)
    uvicorn.run = partial(uvicorn.run, http=LimitedProtocol, limit_concurrency=connections)
