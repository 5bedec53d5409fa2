"""Provides the API's metrics to Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api_service.live.feed import Feed
from api_service.live.statistics import Tally
from imagomortis.errors import Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The API's metrics, in a registry of their own."""

    def __init__(self, tally: Tally, feed: Feed) -> None:
        """Take the sources that are asked when the metrics are read."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_SystemCollector(tally, feed))
        self.requests = Counter(
            "imagomortis_api_requests",
            "Requests by route, method and status; 0: the client left before there was an answer",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "imagomortis_api_request_seconds",
            "Seconds until an answer began",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )


class MetricsMiddleware:
    """An ASGI middleware that counts requests, and measures how long they take."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Take the application, and the metrics to count in."""
        self._app = app
        # looking up a metric by its labels takes longer than counting
        self._seconds = cache(metrics.seconds.labels)
        self._requests = cache(metrics.requests.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._seconds(_route(scope)).observe(time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._requests(_route(scope), scope["method"], str(status)).inc()


def _route(scope: Scope) -> str:
    """Return the route's path with the names of its parameters, the same with and without ``/api``."""
    return str(getattr(scope.get("route"), "path_format", "")) or "other"


class _SystemCollector(Collector):
    """Checks this API when the metrics are read. The exporter provides the figures of the whole system."""

    def __init__(self, tally: Tally, feed: Feed) -> None:
        self._tally = tally
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield GaugeMetricFamily("imagomortis_api_watchers", "Clients that listen to events", self._feed.watchers)
        try:
            self._tally.stats()
        except Unavailable:
            up = 0
        else:
            up = 1
        yield GaugeMetricFamily("imagomortis_api_database_up", "Whether the database answers the API", up)
