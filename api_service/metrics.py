"""What Prometheus may know of the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api_service.feed import Feed
from api_service.tally import Tally
from imagomortis.errors import Unavailable
from imagomortis.lifecycle import State

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The API's metrics, in a registry of their own."""

    def __init__(self, tally: Tally, feed: Feed) -> None:
        """Take whom to ask when the metrics are read."""
        self.registry = CollectorRegistry()
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
    """An ASGI middleware that counts requests and takes down how long they take."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Take the application, and where to count."""
        self._app = app
        self._metrics = metrics

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
                self._metrics.seconds.labels(_route(scope)).observe(time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._metrics.requests.labels(_route(scope), scope["method"], str(status)).inc()


def _route(scope: Scope) -> str:
    """Return the path of the route with its parameters' names, the same with and without ``/api``."""
    return str(getattr(scope.get("route"), "path_format", "")) or "other"


class _SystemCollector(Collector):
    """Asks for the figures when the metrics are read; while the database is away there are none."""

    def __init__(self, tally: Tally, feed: Feed) -> None:
        self._tally = tally
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """Yield what is known."""
        yield GaugeMetricFamily("imagomortis_api_watchers", "Clients that listen to events", self._feed.watchers)
        try:
            stats = self._tally.stats()
        except Unavailable:
            yield GaugeMetricFamily("imagomortis_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("imagomortis_database_up", "Whether the database answers", 1)
        images = GaugeMetricFamily("imagomortis_images", "Images by state", labels=["state"])
        for state in State:
            images.add_metric([state.value], getattr(stats.images, state.value))
        yield images
        oldest = stats.queue.oldest_seconds or 0
        yield GaugeMetricFamily("imagomortis_queue_oldest_seconds", "Age of the oldest image that waits", oldest)
        yield GaugeMetricFamily("imagomortis_workers", "Workers that run or were just asked for", stats.workers)
        yield GaugeMetricFamily("imagomortis_paused", "Whether processing is paused", int(stats.paused))
        yield GaugeMetricFamily("imagomortis_database_bytes", "Bytes of the database", stats.storage.database)
