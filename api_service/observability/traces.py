"""Records requests about one image as spans of its trace."""

from __future__ import annotations

from uuid import UUID

from imagomortis import traces
from imagomortis_http.observer import Exchange


def record_span(exchange: Exchange) -> None:
    """Record a request if its path names an image."""
    image = exchange.scope.get("path_params", {}).get("image_id")
    if _is_uuid(image):
        error = f"status {exchange.status}" if exchange.status >= 500 else None
        name = f"{exchange.method} {exchange.route}"
        traces.note(name, UUID(str(image)), exchange.seconds, error, status=exchange.status)


def _is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
