"""Limits how many uploads run at once, and answers requests that end early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from imagomortis.errors import Unavailable
from imagomortis_http.callers.client_address import client_address, network_of
from imagomortis_http.problems import problem_response
from upload_service.metrics import UploaderMetrics

MAX_REQUESTS: Final = 512
"""The limit of simultaneous uploads. Each holds up to PORTION_BYTES of a file in memory."""


class Admission:
    """Counts the current uploads."""

    def __init__(self, metrics: UploaderMetrics) -> None:
        """Take the metrics, which count and time them too."""
        self._metrics = metrics
        self._under_way = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while the block runs; raise Unavailable if there are too many."""
        if self._under_way >= MAX_REQUESTS:
            raise Unavailable("Too many uploads are running. Upload again in a moment.", retry_after=5)
        self._under_way += 1
        try:
            with self._metrics.uploading():
                yield
        finally:
            self._under_way -= 1


def client_of(request: Request) -> str:
    """Return the key of a request's client, for the fair queue."""
    return network_of(client_address(request.scope))


class NoAnswer(Response):
    """The answer to a client that has left."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


def stopping() -> Response:
    """Return the answer to a request that is not complete when the uploader stops."""
    return problem_response(Unavailable("The uploader is stopping. Upload again in a moment.", retry_after=5))
