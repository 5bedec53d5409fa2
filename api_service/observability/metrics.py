"""Provides the API's metrics to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api_service.live.feed import Feed
from api_service.live.statistics import Tally
from imagomortis.errors import Unavailable
from imagomortis_http.observer import Exchange

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The API's metrics, in a registry of their own."""

    def __init__(self, tally: Tally, feed: Feed) -> None:
        """Take the sources that are asked when the metrics are read."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_SystemCollector(tally, feed))
        requests = Counter(
            "imagomortis_api_requests",
            "Requests by route, method and status; 0: the client left before there was an answer",
            ["route", "method", "status"],
            registry=self.registry,
        )
        seconds = Histogram(
            "imagomortis_api_request_seconds",
            "Seconds until an answer began",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        # looking up a metric by its labels takes longer than counting
        self._request = cache(requests.labels)
        self._timer = cache(seconds.labels)

    def observe(self, exchange: Exchange) -> None:
        """Count a request and, if there was an answer, the seconds until it began."""
        route = exchange.route or "other"
        self._request(route, exchange.method, str(exchange.status)).inc()
        if exchange.status:
            self._timer(route).observe(exchange.start_seconds)


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
