"""Exports the pipeline's metrics to Prometheus, on a port of its own.

``python -m imagomortis_pipeline.upkeep.exporter``. It queries Postgres when Prometheus scrapes, and answers from
memory for a few seconds. Without a scrape it costs nothing. A system needs one exporter, because the figures are
those of the system.
"""

from __future__ import annotations

import shutil
import signal
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from imagomortis import errors, logs, privacy
from imagomortis.catalog import Catalog, Database
from imagomortis.errors import ConfigurationError, ImagoMortisError, Unavailable
from imagomortis.lifecycle import Outcome, State
from imagomortis.logs import Log
from imagomortis.recipe.timings import BOUNDS
from imagomortis.recipe.transforms import TRANSFORMS
from imagomortis.settings import Settings, secret_variables
from imagomortis.work.worker_count import LEAST_SECONDS, standby_workers, wanted_workers
from imagomortis_http import metrics
from imagomortis_pipeline.dagster_internals.tables.figures import DagsterFigures

PART: Final = "exporter"
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

FRESH_SECONDS: Final = 5.0
"""Younger figures are not queried again, however many clients scrape."""

PATIENCE_SECONDS: Final = 2.0
"""How long the exporter waits for each database. Prometheus waits for at most ten seconds in all."""

SHARE: Final = 0.04
"""The share of the time that counting images may take."""

SETTLED: Final = timedelta(seconds=10)
"""An attempt is counted so long after its end, because its transaction has committed by then."""

WORKER_LOST: Final = "worker-lost"
OTHER: Final = "other"

CAUSES: Final = frozenset(
    {kind.slug for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ImagoMortisError)}
    | {WORKER_LOST, ""}
)
"""The causes of failures that are labels. All others count as OTHER."""

RUN_STATUSES: Final = (
    "queued", "not_started", "managed", "starting", "started", "success", "failure", "canceling", "canceled",
)  # fmt: skip

log = Log(__name__)


class Pipeline(Collector):
    """The figures of the pipeline."""

    def __init__(self, catalog: Catalog, dagster: Database, settings: Settings) -> None:
        """Take the catalog, Dagster's database, and the settings."""
        self._catalog = catalog
        self._dagster = DagsterFigures(dagster)
        self._settings = settings
        self._attempts = AttemptCounters(catalog)
        self._lock = threading.Lock()
        self._found: list[Metric] = []
        self._found_at = float("-inf")
        self._images: dict[State, int] = {}
        self._count_again_at = float("-inf")

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering the collector does not query Postgres."""
        return []

    def collect(self) -> list[Metric]:
        """Return the figures, at most FRESH_SECONDS old."""
        with self._lock:
            if time.monotonic() - self._found_at >= FRESH_SECONDS:
                self._found = [*self._take(), *self._attempts.collect()]
                self._found_at = time.monotonic()
            return self._found

    def _take(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("imagomortis_database_up", "Whether a database answers", labels=["database"])
        for name, ask in (("catalog", self._of_catalog), ("dagster", self._of_dagster)):
            try:
                yield from list(ask())
            except Unavailable as error:
                log.warning("no figures", database=name, error=error.detail)
                up.add_metric([name], 0)
            else:
                up.add_metric([name], 1)
        yield up
        yield from self._of_disk()

    def _of_catalog(self) -> Iterator[Metric]:
        settings, figures = self._settings, self._catalog.figures
        queue, server, storage = figures.queue(), figures.server(), self._catalog.images.storage()
        self._attempts.update()
        yield _gauge("imagomortis_queue_images", "Images that wait to be processed", queue.queued)
        yield _gauge("imagomortis_queue_oldest_seconds", "Time that the oldest image has waited", queue.oldest_seconds)
        yield _gauge("imagomortis_leases_expired", "Images whose worker did not renew its lease", queue.expired_leases)
        yield _gauge("imagomortis_paused", "Whether processing is paused", int(queue.paused))
        yield _gauges("imagomortis_images", "Images by state", "state", self._count())
        queued = 0 if queue.paused else queue.queued
        seconds = self._catalog.queue.seconds_each(LEAST_SECONDS) if queued else 0
        wanted = max(wanted_workers(queued, seconds, settings), standby_workers(settings))
        yield _gauge("imagomortis_workers_wanted", "Image tasks that there should be", wanted)
        yield _gauge(
            "imagomortis_workers_alive", "Image tasks that run or were asked for", self._catalog.workers.alive()
        )
        yield _gauge(
            "imagomortis_workers_limit",
            "Image tasks that may run at once; up to two runs that reprocess come on top",
            settings.max_workers,
        )
        kinds = {"originals": storage["originals"], "renditions": storage["renditions"]}
        yield _gauges("imagomortis_storage_bytes", "Bytes that pictures take in Postgres", "kind", kinds)
        yield _gauge("imagomortis_catalog_database_bytes", "Bytes of the catalog's database", server.bytes)
        yield _gauge(
            "imagomortis_postgres_connections", "Client connections of the Postgres server", server.connections
        )
        yield _gauge(
            "imagomortis_postgres_connections_limit", "Client connections that Postgres takes", server.most_connections
        )
        yield self._transforms()
        yield from self._storage()
        yield from self._bucket_inboxes()
        yield from self._exports()

    def _of_dagster(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "imagomortis_tick_age_seconds", "Seconds since a sensor's or schedule's tick began", labels=["name", "kind"]
        )
        for tick in self._dagster.ticks():
            ages.add_metric([tick.name, tick.kind], tick.age)
        yield ages
        if (age := self._dagster.heartbeat_age()) is not None:
            yield _gauge("imagomortis_scheduler_heartbeat_age_seconds", "Seconds since the daemon reported", age)
        runs = self._dagster.runs()
        known = {status: runs.get(status, 0) for status in RUN_STATUSES}
        yield _gauges("imagomortis_dagster_runs", "Runs that Dagster keeps, by status", "status", known)
        sizes = self._dagster.sizes()
        yield _gauge("imagomortis_dagster_database_bytes", "Bytes of Dagster's database", sizes.database)
        yield _gauge("imagomortis_dagster_event_log_bytes", "Bytes of Dagster's event log", sizes.events)
        yield _gauge(
            "imagomortis_dagster_event_log_age_seconds",
            "Seconds since the first event in Dagster's log",
            sizes.event_age,
        )
        yield _gauge("imagomortis_dagster_event_log_rows", "Events in Dagster's log, about", sizes.event_rows)

    def _of_disk(self) -> Iterator[Metric]:
        """Yield the disk of the embedded Postgres. Another server's disk is watched by those who run it."""
        data = self._settings.home / "postgres"
        if self._settings.database_url and data.is_dir():
            usage = shutil.disk_usage(data)
            yield _gauge("imagomortis_postgres_disk_free_bytes", "Bytes that Postgres's disk has left", usage.free)
            yield _gauge("imagomortis_postgres_disk_bytes", "Bytes of Postgres's disk", usage.total)

    def _count(self) -> dict[str, int]:
        """Count the images by state. The longer that takes, the less often it counts."""
        if time.monotonic() >= self._count_again_at:
            began = time.monotonic()
            self._images = self._catalog.images.counts()
            self._count_again_at = time.monotonic() + (time.monotonic() - began) / SHARE
        return {state.value: number for state, number in self._images.items()}

    def _storage(self) -> Iterator[Metric]:
        uses = self._catalog.figures.storage_usage()
        for name, text in (
            ("requests", "Requests to the object store"),
            ("errors", "Requests to the object store that failed"),
            ("seconds", "Seconds that the object store took"),
            ("bytes", "Bytes that went to the object store or came from it"),
        ):
            family = CounterMetricFamily(f"imagomortis_object_store_{name}", text, labels=["operation"])
            for use in uses:
                family.add_metric([use.operation], getattr(use, name))
            yield family

    def _bucket_inboxes(self) -> Iterator[Metric]:
        """Yield the counters of the uploader for objects of bucket inboxes, once the pusher has taken some in."""
        counts = self._catalog.bucket_objects.counts()
        if not counts:
            return
        objects = CounterMetricFamily(
            "imagomortis_uploads", "Pictures by how they came and what became of them", labels=["source", "outcome"]
        )
        for count in counts:
            objects.add_metric(["bucket", count.outcome], count.objects)
        yield objects
        size = CounterMetricFamily("imagomortis_upload_bytes", "Bytes of stored pictures", labels=["source"])
        size.add_metric(["bucket"], sum(count.bytes for count in counts))
        yield size

    def _exports(self) -> Iterator[Metric]:
        waiting, totals = self._catalog.exports.waiting(), self._catalog.exports.totals()
        yield _gauge("imagomortis_exports_waiting", "Results that are not exported yet", waiting.waiting)
        yield _gauge("imagomortis_exports_failing", "Results that wait after a failed export", waiting.failed)
        yield _gauge(
            "imagomortis_exports_oldest_seconds", "Time that the oldest of them has waited", waiting.oldest_seconds
        )
        ended = CounterMetricFamily(
            "imagomortis_exports", "Exports that were written, and attempts that failed", labels=["outcome"]
        )
        for outcome in ("written", "failed"):
            ended.add_metric([outcome], totals.get(outcome, 0))
        yield ended

    def _transforms(self) -> Metric:
        family = HistogramMetricFamily(
            "imagomortis_transform_seconds", "Seconds that a transform took", labels=["transform"]
        )
        timings = [each for each in self._catalog.figures.timings() if each.transform in TRANSFORMS]
        for name in sorted({each.transform for each in timings}):
            own = [each for each in timings if each.transform == name]
            buckets = [(_bound(bound), sum(e.images for e in own if e.at_most <= bound)) for bound in BOUNDS]
            family.add_metric([name], buckets, sum(each.seconds for each in own))
        return family


class AttemptCounters(Collector):
    """Counts the attempts that ended since the exporter started, each once."""

    def __init__(self, catalog: Catalog, since: datetime | None = None) -> None:
        """Take the catalog, and from when on to count: the first look unless given."""
        self._catalog = catalog
        self._since = since
        self._registry = CollectorRegistry()
        self._ended = Counter(
            "imagomortis_attempts", "Attempts by outcome and cause", ["outcome", "cause"], registry=self._registry
        )
        self._seconds = Histogram(
            "imagomortis_attempt_seconds", "Seconds that an attempt took", buckets=BOUNDS, registry=self._registry
        )
        # from the start, because a series that begins with 1 shows no increase
        self._ended.labels(Outcome.DONE.value, "")
        self._ended.labels(Outcome.LOST.value, WORKER_LOST)
        for cause in CAUSES - {"", WORKER_LOST} | {OTHER}:
            self._ended.labels(Outcome.FAILED.value, cause)

    def update(self) -> None:
        """Count what has ended since the last look; raises Unavailable."""
        until = self._catalog.figures.now() - SETTLED
        since, self._since = self._since or until, until
        try:
            found = self._catalog.figures.attempts(since, until, BOUNDS)
        except Unavailable:
            self._since = since
            raise
        for each in found:
            cause = each.error_kind if each.error_kind in CAUSES else OTHER
            self._ended.labels(each.outcome.value, cause).inc(each.attempts)
            if each.at_most is not None:
                self._observe(each.at_most, each.attempts, each.seconds)

    def _observe(self, at_most: float, attempts: int, seconds: float) -> None:
        """Add many observations of one class at once. The client has no method for it."""
        self._seconds._buckets[bisect_left(BOUNDS, at_most)].inc(attempts)
        self._seconds._sum.inc(seconds)

    def collect(self) -> list[Metric]:
        """Return the counters."""
        return list(self._registry.collect())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else str(seconds)


def registry(catalog: Catalog, dagster: Database, settings: Settings) -> CollectorRegistry:
    """Return the registry of the pipeline's metrics."""
    found = CollectorRegistry()
    ProcessCollector(registry=found)
    found.register(Pipeline(catalog, dagster, settings))
    return found


def serve(settings: Settings) -> Callable[[], None]:
    """Answer Prometheus in a thread and return what ends that; raises ConfigurationError if that is not possible."""
    if settings.conninfo is None or settings.dagster_conninfo is None:
        raise ConfigurationError(
            "The exporter needs the catalog's database: set DATABASE_URL, for example "
            "DATABASE_URL=postgresql://imagomortis@localhost/imagomortis, or PGHOST and its family."
        )
    catalog = Catalog(settings.conninfo, connections=2, patience=PATIENCE_SECONDS)
    dagster = Database(settings.dagster_conninfo, connections=2, patience=PATIENCE_SECONDS)
    stop_listening = metrics.serve(registry(catalog, dagster, settings), settings, "pipeline_metrics_port")

    def stop() -> None:
        stop_listening()
        catalog.close()
        dagster.close()

    return stop


def main() -> None:
    """Serve the metrics until a signal comes."""
    privacy.keep()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # every thread inherits it, so signals reach sigwait below
    try:
        settings = Settings.read()
        privacy.forget(secret_variables())
        logs.configure(PART, settings.log_level)
        stop = serve(settings)
    except ConfigurationError as error:
        logs.give_up(PART, error.detail, code=2)
    log.info("listening", port=settings.pipeline_metrics_port)
    signal.sigwait(SIGNALS)
    stop()


if __name__ == "__main__":
    main()
