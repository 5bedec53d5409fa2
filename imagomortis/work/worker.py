"""The worker: leases queued images, processes them in a child process and saves the renditions.

One image costs a few milliseconds, so the worker leases many at a time, saves several in one transaction, and stays
warm for a while when the queue is empty. It owes every image an end: done, failed with a cause, or given back.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID, uuid4

from imagomortis import traces, version
from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import ALWAYS, Lease, Leased, Result
from imagomortis.catalog.workers import SEEN_SECONDS
from imagomortis.errors import AttemptFailed, BytesDamaged, ImagoMortisError, InvalidRecipe, Unavailable
from imagomortis.lifecycle import State
from imagomortis.logs import Log
from imagomortis.recipe.asset_references import references
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.timings import StepSeconds, Timings
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.spool.upload import hour_of
from imagomortis.storage.batches import batches
from imagomortis.work.held_lease import PAUSE_SECONDS, HeldLease
from imagomortis.work.interrupts import Interrupts
from imagomortis.work.queue_listener import QueueListener
from imagomortis.work.unsaved_results import SAVE_SECONDS, UnsavedResults

log = Log(__name__)

T = TypeVar("T")

CONNECTIONS: Final = 2
"""Connections that a worker takes from the catalog's pool: a save can hold one for long. It listens on a third one."""

HOUR: Final = timedelta(hours=1)

LEASED_SECONDS: Final = 5.0
"""The most work that a lease should hold, in seconds: its last images wait while other workers may be idle."""

FIRST_LEASE: Final = 4
"""Images in the first lease, before the worker knows how long one takes."""

STANDBY_SECONDS: Final = 1.0
"""How often at most a standby worker checks whether it should leave."""

REPLACEMENT_SECONDS: Final = 120.0
"""How long a leaving worker waits for its replacement. A new node takes minutes to start."""

PROGRESS_SECONDS: Final = 0.5
"""The least time between two writes of an image's progress, in seconds."""

PATIENCE_SECONDS: Final = 120.0
"""How long a worker keeps its results and retries while Postgres or the object store is unavailable."""


@dataclass(frozen=True)
class Terms:
    """A worker's limits: sizes of leases, and times in seconds."""

    lease_batch: int = 32
    lease_seconds: float = 15.0
    linger_seconds: float = 20.0
    images_limit: int = 0
    """Images after which the worker leaves; 0: no limit."""
    life_seconds: float = 1800.0
    """After so long, or up to a quarter less, a worker of the queue leaves even if images wait."""
    standby: int = 0
    """Workers that stay although the queue is empty."""


@dataclass
class HourStatistics:
    """Counts what a worker did with the images of one hour."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    seconds: list[float] = field(default_factory=list)


class Worker:
    """One worker of one run. One thread uses it; a second one renews its lease and saves overdue results."""

    def __init__(self, catalog: Catalog, sandbox: Sandbox, worker_id: UUID, run_id: str, terms: Terms) -> None:
        """Take the catalog, the child process, the worker's and the run's ids, and the terms."""
        self._catalog = catalog
        self._sandbox = sandbox
        self._worker_id = worker_id
        self._run_id = run_id
        self._terms = terms
        self._statistics: dict[datetime, HourStatistics] = {}
        self._finished = 0
        self._seconds_each = LEASED_SECONDS / FIRST_LEASE
        """The seconds that each image of the last lease took."""
        self._held = HeldLease()
        self._unsaved = UnsavedResults()
        self._ending = threading.RLock()  # held by the thread that saves or gives back images
        self._timings = Timings()
        self._interrupts = Interrupts()
        self._error: Exception | None = None
        """The error that ended the renewing thread."""
        self._release = version()
        self._is_of_queue = False
        self._is_outdated = False
        """Whether the pusher is of another release, whose workers should do the rest."""
        self._ends_at = math.inf
        """The monotonic time from which the worker leaves as soon as its replacement runs."""

    @property
    def statistics(self) -> Mapping[datetime, HourStatistics]:
        """The counts, by the hour in which the images were created."""
        return self._statistics

    def drain(self, hour: datetime) -> None:
        """Process queued images, those of ``hour`` first and then any, until none comes for a while.

        While images keep coming it leaves after its life, for a new one: so its run has a report and an end. It leaves
        soon after an update, and gives back what only the new release knows. If workers stand by, it is replaced first.
        """
        self._start(hour)
        self._ends_at = time.monotonic() + self._life()
        linger = max(self._terms.linger_seconds, STANDBY_SECONDS if self._terms.standby else 0)
        self._is_of_queue = True
        with self._present() as wake:
            while not self._has_ended() and (room := self._room()):
                lease = self._lease((hour, hour + HOUR), room) or self._lease(ALWAYS, room)
                if lease:
                    self._work(lease)
                elif not wake.wait(linger) and self._leave():
                    break

    def drain_hour(self, hour: datetime) -> None:
        """Process queued images of ``hour`` only, until every image of it is done or failed, however many they are."""
        span = (hour, hour + HOUR)
        if self._is_finished(span):
            return  # a backfill has many empty hours
        self._start(hour, only_hour=True)
        with self._present() as wake:
            while True:
                if lease := self._lease(span, self._batch()):
                    self._work(lease)
                elif self._is_finished(span):
                    break
                else:
                    wake.wait(1.0)

    def _start(self, hour: datetime, *, only_hour: bool = False) -> None:
        _patiently(lambda: self._catalog.workers.start(self._worker_id, hour, self._run_id, only_hour=only_hour))

    @contextmanager
    def _present(self) -> Iterator[QueueListener]:
        """Report the worker as alive during a block and as gone at its end, even if a signal ends it."""
        with self._interrupts.held():
            try:
                with self._renewing(), self._listening() as wake:
                    yield wake
            finally:
                # the other thread, which may just have reported the worker as alive, has ended
                with suppress(Unavailable):  # then it counts as gone once it is not seen any more
                    self._catalog.workers.leave(self._worker_id, self._finished, anyway=True)

    def _life(self) -> float:
        """Return the worker's life in seconds, which differs between workers that start together."""
        return self._terms.life_seconds * (1 - self._worker_id.int % 1024 / 4096)

    def _has_ended(self) -> bool:
        now = time.monotonic()
        if self._is_outdated:
            self._ends_at = min(self._ends_at, now)
        if now < self._ends_at:
            return False
        standby = self._terms.standby
        return not standby or now > self._ends_at + REPLACEMENT_SECONDS or self._is_replaced(standby)

    def _is_replaced(self, standby: int) -> bool:
        return _patiently(lambda: self._catalog.workers.retire(self._worker_id, standby), self._pause)

    def _room(self) -> int:
        """Return how many images may be leased at once; 0 when the limit of images is reached."""
        if not self._terms.images_limit:
            return self._batch()
        return max(0, min(self._batch(), self._terms.images_limit - self._finished))

    def _batch(self) -> int:
        return max(1, min(self._terms.lease_batch, int(LEASED_SECONDS / self._seconds_each)))

    def _is_finished(self, span: tuple[datetime, datetime]) -> bool:
        remaining = _patiently(lambda: self._catalog.queue.remaining(span))
        return not remaining.get(State.QUEUED) and not remaining.get(State.PROCESSING)

    def _leave(self) -> bool:
        leave = partial(self._catalog.workers.leave, self._worker_id, standby=self._terms.standby)
        return _patiently(lambda: leave(self._finished))

    def _lease(self, span: tuple[datetime, datetime], count: int) -> Lease | None:
        """Lease images; if the answer to a first try was lost, find the images that it leased."""
        self._check()
        queue, token, seconds, tries = self._catalog.queue, uuid4(), self._terms.lease_seconds, itertools.count()

        def lease() -> Lease | None:
            found = queue.find_lease(token, seconds) if next(tries) else None
            return found or queue.lease(self._run_id, count, seconds, span, token=token)

        return _patiently(lease, self._pause)

    def _check(self) -> None:
        """Raise the error that ended the renewing thread: without it, the worker loses its lease unnoticed."""
        if self._error:
            raise self._error

    def _pause(self, seconds: float) -> None:
        with self._interrupts.allowed():
            time.sleep(seconds)

    def _work(self, lease: Lease) -> None:
        """Process the images of a lease; in any case, save the results and give back the other images."""
        self._held.take(lease)
        self._unsaved.begin(lease.token)
        began = time.monotonic()
        try:
            for image, original in self._originals(lease):
                if result := self._process(lease.token, image, original):
                    self._unsaved.add(result)
                if self._unsaved.is_worth_saving():
                    self._save()
        finally:
            try:
                self._save()
            finally:
                self._give_back(lease.token)
        self._seconds_each = max(1e-6, time.monotonic() - began) / len(lease.images)

    def _originals(self, lease: Lease) -> Iterator[tuple[Leased, bytes | BytesDamaged]]:
        for batch in batches(lease.images, lambda image: image.size):
            images = [image for image in batch if self._held.has(image.id)]
            originals = _patiently(partial(self._catalog.queue.originals, images), self._pause) if images else {}
            for image in images:
                # it was neither deleted nor edited nor given back meanwhile
                if image.id in originals and self._held.begin(image.id):
                    yield image, originals.pop(image.id)

    def _process(self, token: UUID, image: Leased, original: bytes | BytesDamaged) -> Result | None:
        self._check()
        with self._interrupts.allowed():
            self._sandbox.warm()  # a decoder that does not start is not a picture's fault: it ends the run
        report = _ProgressWriter(self._catalog, token, image.id)
        if image.attempt == 1:
            traces.note("wait", image.id, (datetime.now(UTC) - image.created_at).total_seconds())
        facts = log.bind(image=image.id, run=self._run_id, attempt=image.attempt)
        assets = _patiently(partial(self._catalog.assets.files, references(image.recipe)), self._pause)
        began = time.perf_counter()
        try:
            if isinstance(original, BytesDamaged):
                raise original
            recipe = Recipe.parse(dict(image.recipe))
            steps: list[StepSeconds] = []
            with self._interrupts.allowed():
                renditions = self._sandbox.process(original, recipe, report, steps.extend, assets)
        except InvalidRecipe as error:
            if self._is_of_queue and _patiently(self._look_at_release):
                self._ends_at = -math.inf
                facts.info("gave back", images=1, cause="unknown recipe", error=error.detail)
                return None  # still held, so it goes back with the rest of the lease
            self._fail(token, image, error, time.perf_counter() - began, facts)
            return None
        except ImagoMortisError as error:
            self._fail(token, image, error, time.perf_counter() - began, facts)
            return None
        except Exception as error:  # noqa: BLE001  # a mistake of ours costs this image an attempt, no other its worker
            facts.exception("crashed", error=repr(error))
            self._fail(
                token, image, AttemptFailed(f"An internal error: {error!r}."), time.perf_counter() - began, facts
            )
            return None
        seconds = time.perf_counter() - began
        self._timings.note((recipe.transforms[label], took) for label, took in steps)
        # of several outputs, logs say which step of which one takes long
        of_steps = {"steps": {label: round(took, 4) for label, took in steps}} if recipe.outputs else {}
        facts.info("processed", seconds=round(seconds, 4), **of_steps)
        traces.note("process", image.id, seconds, run=self._run_id, attempt=image.attempt)
        return Result(image, renditions, seconds)

    def _save(self, *, is_patient: bool = True) -> None:
        """Save the results; those that cannot be saved are kept."""
        with self._ending:
            token, results = self._unsaved.now()
            if not results:
                return
            began = time.perf_counter()
            save = partial(self._catalog.queue.save, token, results)
            saved = _patiently(save) if is_patient else save()
            took = time.perf_counter() - began
            self._unsaved.drop(len(results))
            for result in results:
                self._note_saved(result, is_saved=result.image.id in saved, seconds=took, images=len(results))

    def _note_saved(self, result: Result, *, is_saved: bool, seconds: float, images: int) -> None:
        self._held.drop(result.image.id)
        if not is_saved:
            log.info("dropped", image=result.image.id, run=self._run_id, attempt=result.image.attempt)
            return
        traces.note("save", result.image.id, seconds, images=images)
        statistics = self._of_hour(result.image)
        statistics.done += 1
        statistics.seconds.append(result.seconds)
        self._finished += 1

    def _fail(self, token: UUID, image: Leased, error: ImagoMortisError, seconds: float, facts: Log) -> None:
        state = _patiently(lambda: self._catalog.queue.fail(token, image.id, error.detail, error.slug, seconds))
        self._held.drop(image.id)
        with self._ending:
            self._finished += 1
            if state is State.FAILED:
                self._of_hour(image).failed += 1
            elif state is State.QUEUED:
                self._of_hour(image).retried += 1
        traces.note(
            "process", image.id, seconds, error.detail, run=self._run_id, attempt=image.attempt, kind=error.slug
        )
        facts.warning("failed", error=error.detail, kind=error.slug, state=state, seconds=round(seconds, 4))

    def _give_back(self, token: UUID) -> None:
        with self._ending:
            if ids := self._held.drop_all():
                given = _patiently(lambda: self._catalog.queue.give_back(token, ids))
                log.info("gave back", run=self._run_id, images=len(given))

    def _of_hour(self, image: Leased) -> HourStatistics:
        return self._statistics.setdefault(hour_of(image.created_at), HourStatistics())

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """During a block, let one thread renew the lease and report the worker as alive, and one save overdue results.

        A slow storage can delay a save for longer than a lease lasts, so the same thread cannot do both.
        """
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._repeat, args=[action, period, stop], name=name, daemon=True)
            for name, action, period in (
                ("renew", self._renew, min(self._terms.lease_seconds, SEEN_SECONDS) / 3),
                ("tidy", self._tidy, SAVE_SECONDS),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            with suppress(Unavailable):  # only timings can be lost; results are saved by now
                self._tell_timings()

    def _tell_timings(self) -> None:
        self._catalog.note_storage_usage()
        timings = self._timings.take()
        try:
            self._catalog.figures.add_timings(timings)
        except Unavailable:
            self._timings.put_back(timings)
            raise

    def _repeat(self, action: Callable[[], object], period: float, stop: threading.Event) -> None:
        """Repeat an action every ``period`` seconds, sooner after a failure, until ``stop`` is set."""
        pause = period
        try:
            while not stop.wait(pause):
                pause = period
                try:
                    action()
                except Unavailable as error:
                    log.warning("cannot write", run=self._run_id, error=error.detail)
                    pause = min(period, PAUSE_SECONDS)
        except Exception as error:  # any error ends the renewals, so the worker's own thread must end too
            log.exception("cannot renew", run=self._run_id, error=repr(error))
            self._error = error

    def _renew(self) -> None:
        token, ids = self._held.now()
        self._look_at_release()
        if token and ids:
            kept = self._catalog.queue.renew(token, ids, self._terms.lease_seconds)
            self._held.keep(token, ids, kept)
        self._tell_timings()

    def _look_at_release(self) -> bool:
        """Report the worker as alive; return whether the pusher is of another release."""
        release = self._catalog.workers.seen(self._worker_id, self._finished)
        self._is_outdated = release not in {None, self._release}
        return self._is_outdated

    def _tidy(self) -> None:
        """While a slow picture is processed, save overdue results, and give waiting images back during a pause."""
        if not self._ending.acquire(blocking=False):
            return  # the other thread is doing so, and may wait for Postgres
        try:
            if self._unsaved.is_overdue():
                self._save(is_patient=False)
            if self._held.is_kept_waiting() and self._catalog.control.paused_at():
                self._give_back_waiting()
        finally:
            self._ending.release()

    def _give_back_waiting(self) -> None:
        token, ids = self._held.drop_waiting()
        if not token or not ids:
            return
        try:
            given = self._catalog.queue.give_back(token, ids)
        except BaseException:
            self._held.put_back(ids)
            raise
        log.info("gave back", run=self._run_id, images=len(given), cause="paused")

    @contextmanager
    def _listening(self) -> Iterator[QueueListener]:
        wake = QueueListener(self._catalog, self._interrupts)
        try:
            yield wake
        finally:
            wake.close()


class _ProgressWriter:
    """Writes the progress of one image to the catalog, at most twice a second."""

    def __init__(self, catalog: Catalog, token: UUID, image_id: UUID) -> None:
        self._catalog = catalog
        self._token = token
        self._image_id = image_id
        self._next = time.monotonic() + PROGRESS_SECONDS / 2

    def __call__(self, progress: Mapping[str, int]) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        log.info("progress", image=self._image_id, progress=dict(progress))
        with suppress(Unavailable):  # progress can be lost; results are kept
            self._catalog.queue.report_progress(self._token, self._image_id, progress)


def _patiently(action: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """Repeat ``action`` while Postgres or the object store is unavailable, for up to PATIENCE_SECONDS."""
    until = time.monotonic() + PATIENCE_SECONDS
    pause = 0.1
    while True:
        try:
            return action()
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            log.warning("waiting", error=error.detail)
            sleep(pause)
            pause = min(pause * 2, 2.0)
