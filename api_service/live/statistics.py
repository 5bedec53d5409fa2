"""Counts the figures of the system, only after a change and never in two threads at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from api_service import models
from api_service.presentation import utc
from imagomortis.catalog import Catalog
from imagomortis.catalog.workers import AtWork
from imagomortis.errors import Unavailable
from imagomortis.lifecycle import Outcome
from imagomortis.spool.spool import Spool

FRESH_SECONDS: Final = 1.0
"""Figures younger than this are reused."""

SHARE: Final = 0.04
"""Largest share of the time for one figure: a million queued images take 0.1 s, so they are counted every 2.5 s."""

STORAGE_SECONDS: Final = 5.0
"""Least seconds between two measurements. With an object store, one takes a second for a million images."""

USUAL_SECONDS: Final = 5.0
"""Least seconds between two queries of the hour's percentiles. One takes 60 ms for 100,000 attempts."""

MOST_WORKERS: Final = 50
"""Most workers that are listed."""

NOTED_SECONDS: Final = 30.0
"""Age at which the pusher's count of the spool is ignored. The pusher notes it at least every ten seconds."""

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
# an attempt's transaction can commit a little after the minute in which the attempt ended
_SETTLED: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class _Counts:
    """Images by state, at a position in the stream of changes."""

    images: models.Counts
    position: int
    at: float
    seconds: float


@dataclass(frozen=True)
class _Wait:
    """The longest wait of a queued image, when it was measured, and how many seconds the query took."""

    longest: float
    at: float
    seconds: float


@dataclass(frozen=True)
class _TrashStats:
    """The contents of the trash, the time of their count, and the seconds that the query took."""

    stats: models.TrashStats
    at: float
    seconds: float


class Tally:
    """Keeps the figures, for many threads."""

    def __init__(self, catalog: Catalog, spool: Spool, links: dict[str, str], trash_days: float = 0) -> None:
        """Take the catalog, the spool, the links that are shown with the figures, and the days of the trash."""
        self._catalog = catalog
        self._spool = spool
        self._links = links
        self._trash_days = trash_days
        self._counting = threading.Lock()
        self._stats: models.Stats | None = None
        self._taken_at = 0.0
        self._failure: Unavailable | None = None
        self._failed_at = 0.0
        self._counts: _Counts | None = None
        self._waited: _Wait | None = None
        self._trash: _TrashStats | None = None
        self._minutes: dict[datetime, Counter[Outcome]] = {}
        self._settled: datetime | None = None
        self._storage: models.Storage | None = None
        self._measure_at = 0.0
        self._usual: tuple[float, float] | None = None
        self._usual_at = -USUAL_SECONDS

    def stats(self) -> models.Stats:
        """Return the figures. They are at most a second old; counts can be 25 times as old as counting takes.

        While one thread counts, other threads get the former figures. If there are none, they wait. If the counting
        thread fails, they fail too, because each would wait for the database as long again. Raises Unavailable.
        """
        asked_at, stats = time.monotonic(), self._stats
        if stats and time.monotonic() - self._taken_at < FRESH_SECONDS:
            return stats
        if not self._counting.acquire(blocking=stats is None):
            assert stats is not None  # noqa: S101  # without figures it has waited
            return stats
        try:
            if self._failure and self._failed_at > asked_at:
                raise Unavailable(self._failure.detail, **self._failure.members)
            if self._stats is None or time.monotonic() - self._taken_at >= FRESH_SECONDS:
                return self._renew()
            return self._stats
        finally:
            self._counting.release()

    def _renew(self) -> models.Stats:
        """Count, and remember the result or the failure."""
        try:
            self._stats = self._take()
        except Unavailable as error:
            self._failure, self._failed_at = error, time.monotonic()
            raise
        self._taken_at = time.monotonic()
        return self._stats

    def _take(self) -> models.Stats:
        catalog, now = self._catalog, datetime.now(UTC)
        counts, paused_at = self._count(), catalog.control.paused_at()
        oldest = catalog.images.oldest_queued()
        return models.Stats(
            images=counts,
            spool=self._spooled(),
            queue=models.QueueStats(
                depth=counts.queued,
                oldest_at=utc(oldest) if oldest else None,
                oldest_seconds=self._wait() if oldest else None,
            ),
            rate=self._rate(now),
            workers=catalog.workers.alive(),
            at_work=[_worker(found) for found in catalog.workers.at_work(MOST_WORKERS)],
            paused=paused_at is not None,
            paused_at=utc(paused_at) if paused_at else None,
            storage=self._measure(),
            trash=self._look_into_trash(),
            links=self._links,
        )

    def _count(self) -> models.Counts:
        last = self._counts
        if last and time.monotonic() - last.at < last.seconds / SHARE:
            return last.images
        images = self._catalog.images
        if last and not images.has_changed(last.position):
            return last.images
        position, began = images.place().position, time.monotonic()
        by_state = images.counts()
        counts = models.Counts(
            **{state.value: number for state, number in by_state.items()}, total=sum(by_state.values())
        )
        self._counts = _Counts(counts, position, time.monotonic(), time.monotonic() - began)
        return counts

    def _wait(self) -> float:
        """Return the longest wait. Between two queries, which can be slow, the time since the last one is added."""
        last, began = self._waited, time.monotonic()
        if last is None or began - last.at >= last.seconds / SHARE:
            longest = self._catalog.figures.longest_wait() or 0.0
            last = self._waited = _Wait(longest, began, time.monotonic() - began)
        return round(last.longest + began - last.at, 1)

    def _rate(self, now: datetime) -> models.Rate:
        """Count the minutes again that can still change, and keep the others."""
        since = max(self._settled or now - _HOUR, now - _HOUR).replace(second=0, microsecond=0)
        minutes = {minute: each for minute, each in self._minutes.items() if now - _HOUR <= minute < since}
        for found in self._catalog.images.throughput(since):
            minutes.setdefault(utc(found.minute), Counter())[found.outcome] += found.images
        self._minutes, self._settled = minutes, now - _SETTLED
        last_hour = [
            models.Minute(minute=minute, **{outcome.value: number for outcome, number in minutes[minute].items()})
            for minute in sorted(minutes)
        ]
        taken = self._catalog.images.taken(now - _MINUTE)
        p50, p95 = self._take_usual(now) or (None, None)
        return models.Rate(
            last_minute=self._catalog.images.done_since(now - _MINUTE),
            taken_last_minute=taken,
            last_hour=last_hour,
            p50_seconds=p50,
            p95_seconds=p95,
        )

    def _take_usual(self, now: datetime) -> tuple[float, float] | None:
        if time.monotonic() - self._usual_at >= USUAL_SECONDS:
            self._usual = self._catalog.figures.usual_seconds(now - _HOUR)
            self._usual_at = time.monotonic()
        return self._usual

    def _spooled(self) -> int | None:
        try:
            return self._spool.count()
        except (FileNotFoundError, PermissionError):  # the uploader's spool can be elsewhere; the pusher sees it
            return self._catalog.figures.spooled(NOTED_SECONDS)

    def _measure(self) -> models.Storage:
        began = time.monotonic()
        if self._storage is None or began > self._measure_at:
            self._storage = models.Storage(**self._catalog.images.storage())
            ended = time.monotonic()
            self._measure_at = ended + max(STORAGE_SECONDS, (ended - began) / SHARE)
        return self._storage

    def _look_into_trash(self) -> models.TrashStats:
        last, began = self._trash, time.monotonic()
        if last is None or began - last.at >= last.seconds / SHARE:
            found = self._catalog.trash.contents()
            stats = models.TrashStats(days=self._trash_days, images=found.images, bytes=found.bytes)
            last = self._trash = _TrashStats(stats, began, time.monotonic() - began)
        return last.stats


def _worker(found: AtWork) -> models.WorkerStats:
    return models.WorkerStats(
        run_id=found.run_id,
        started_at=utc(found.started_at),
        done=found.images,
        processing=found.processing,
        filenames=list(found.filenames),
    )


def changed(before: models.Stats | None, after: models.Stats) -> bool:
    """Return whether figures differ in more than the age of the oldest queued image."""
    return before is None or _ageless(before) != _ageless(after)


def _ageless(stats: models.Stats) -> models.Stats:
    return stats.model_copy(update={"queue": stats.queue.model_copy(update={"oldest_seconds": None})})
