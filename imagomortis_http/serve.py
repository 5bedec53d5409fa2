"""Configures uvicorn for every listener."""

from __future__ import annotations

import resource
from typing import Any, Final

import uvicorn

from imagomortis_http.limits.connections import LimitedProtocol

_FILES: Final = 256
"""Open files that a process can need beside its connections."""


def configuration(app: Any, connections: int, **further: Any) -> uvicorn.Config:
    """Return uvicorn's configuration for a listener with at most ``connections`` connections."""
    _allow_files(2 * connections + _FILES)  # a connection can need another connection, or a file
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=LimitedProtocol,
        ws="none",
        limit_concurrency=connections,
        log_config=None,
        access_log=False,
        server_header=False,
        **further,
    )


def _allow_files(count: int) -> None:
    """Raise the limit of open files to ``count``, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard)
        )
