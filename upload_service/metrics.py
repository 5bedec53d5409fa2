"""Defines the uploader's metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.drafts import SpoolAway
from imagomortis.spool.spool import Spool

Source = Literal["http", "tus", "inbox"]
Outcome = Literal["stored", "refused", "aborted", "failed"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class UploaderMetrics:
    """The uploader's metrics, in a registry of their own."""

    def __init__(self, spool: AnySpool) -> None:
        """Take the spool, which is measured whenever the metrics are read."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._uploads = Counter(
            "imagomortis_uploads",
            "Pictures by how they came and what became of them",
            ["source", "outcome"],
            registry=self.registry,
        )
        self._bytes = Counter(
            "imagomortis_upload_bytes", "Bytes of stored pictures", ["source"], registry=self.registry
        )
        self._seconds = Histogram(
            "imagomortis_upload_seconds",
            "Seconds from the first byte of an upload to its answer",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "imagomortis_uploads_in_flight", "Requests that are uploading right now", registry=self.registry
        )
        self.registry.register(_SpoolCollector(spool))

    def count(self, source: Source, outcome: Outcome, size: int = 0) -> None:
        """Count a picture and, if it was stored, its bytes."""
        self._uploads.labels(source, outcome).inc()
        if outcome == "stored":
            self._bytes.labels(source).inc(size)

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """Count and time a request with uploads while the block runs."""
        with self._in_flight.track_inprogress(), self._seconds.time():
            yield


class _SpoolCollector(Collector):
    """Measures the spool on request; a spool that is not available has no figures."""

    def __init__(self, spool: AnySpool) -> None:
        self._spool = spool

    def collect(self) -> Iterator[Metric]:
        try:
            ready, free = _entries(self._spool), self._spool.free_bytes()
        except (OSError, SpoolAway):
            return
        yield GaugeMetricFamily("imagomortis_spool_ready_entries", "Pictures that wait for the pusher", ready)
        yield GaugeMetricFamily("imagomortis_spool_free_bytes", "Bytes that the spool's disk has left", free)


def _entries(spool: AnySpool) -> int:
    return len(os.listdir(spool.ready)) if isinstance(spool, Spool) else spool.count()  # noqa: PTH208  # only a count
