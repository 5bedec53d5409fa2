"""Writes the access log: one JSON line per request, once its answer is complete."""

from __future__ import annotations

from imagomortis.logs import Log
from imagomortis_http.callers.access import OPEN_PATHS
from imagomortis_http.observer import Exchange

log = Log(__name__)


def write(exchange: Exchange) -> None:
    """Log client, method, path, status, bytes and seconds, but no query and no header."""
    note = log.debug if exchange.path in OPEN_PATHS else log.info
    note(
        "request",
        client=exchange.client,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        bytes=exchange.sent,
        seconds=round(exchange.seconds, 4),
    )
