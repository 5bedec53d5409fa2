"""The worker: leases queued images, processes them in a child process and saves the renditions.

One image costs a few milliseconds, so the worker leases many at a time, saves several in one transaction, and stays
warm for a while when the queue is empty. It owes every image an end: done, failed with a cause, or given back.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID, uuid4

import psycopg

from imagomortis import traces, version
from imagomortis.catalog import QUEUE_CHANNEL, Catalog, Connection
from imagomortis.catalog.queue import ALWAYS, Lease, Leased, Result
from imagomortis.catalog.workers import SEEN_SECONDS
from imagomortis.errors import AttemptFailed, ImagoMortisError, InvalidRecipe, Unavailable
from imagomortis.lifecycle import State
from imagomortis.logs import Log
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.timings import Timings
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.spool.upload import hour_of
from imagomortis.work.interrupts import Interrupts

log = Log(__name__)

T = TypeVar("T")

CONNECTIONS: Final = 2
"""Connections that a worker takes of its catalog, one for each thread; it listens by a third one."""

HOUR: Final = timedelta(hours=1)

FETCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes of originals that are held at a time, unless a single one is larger."""

LEASED_SECONDS: Final = 5.0
"""Images that take longer are leased fewer at a time than they might be: they would wait while other workers do not."""

FIRST_LEASE: Final = 4
"""Images that are leased at first, before it is known how long one takes."""

SAVE_BYTES: Final = 4 * 1024 * 1024
SAVE_IMAGES: Final = 16
SAVE_SECONDS: Final = 0.25
"""Finished images are saved when they are so many or so large, or have waited for so long."""

PAUSE_SECONDS: Final = 1.0
"""How often it is looked whether processing was paused, while leased images wait behind one that takes long."""

STANDBY_SECONDS: Final = 1.0
"""The least time from one look to the next, whether a worker that stands by should leave."""

PROGRESS_SECONDS: Final = 0.5
"""The least time between two writes of an image's progress."""

PATIENCE_SECONDS: Final = 120.0
"""How long finished work is kept while Postgres is away."""


@dataclass(frozen=True)
class Terms:
    """How a worker works: sizes of leases, and times in seconds."""

    lease_batch: int = 32
    lease_seconds: float = 15.0
    linger_seconds: float = 20.0
    images_limit: int = 0
    """Images after which the worker leaves; 0: no limit."""
    life_seconds: float = 1800.0
    """After so long, or up to a quarter less, a worker of the queue leaves even if images wait."""
    standby: int = 0
    """Workers that stay although nothing waits."""


@dataclass
class Tally:
    """What a worker did with the images of one hour."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    seconds: list[float] = field(default_factory=list)


class Worker:
    """One worker, for one run; used by one thread, with a second one that looks after its leases and results."""

    def __init__(self, catalog: Catalog, sandbox: Sandbox, worker_id: UUID, run_id: str, terms: Terms) -> None:
        """Take the catalog, the child process, the worker's and the run's ids, and the terms."""
        self._catalog = catalog
        self._sandbox = sandbox
        self._worker_id = worker_id
        self._run_id = run_id
        self._terms = terms
        self._tallies: dict[datetime, Tally] = {}
        self._finished = 0
        self._seconds_each = LEASED_SECONDS / FIRST_LEASE
        """How long each image of the last lease took."""
        self._holding = _Holding()
        self._unsaved = _Unsaved()
        self._ending = threading.RLock()  # while images are saved or given back, by either thread
        self._timings = Timings()
        self._interrupts = Interrupts()
        self._mistake: Exception | None = None
        """What ended the thread that renews."""
        self._release = version()
        self._is_of_queue = False
        self._is_outdated = False
        """Whether the pusher is of another release, so that a worker of that one should do the rest."""

    @property
    def tallies(self) -> Mapping[datetime, Tally]:
        """What was done, by the hour in which the images were created."""
        return self._tallies

    def drain(self, hour: datetime) -> None:
        """Process queued images, those of ``hour`` first and then any, until none comes for a while.

        While images keep coming it leaves after its life, for a new one: so its run has a report and an end. It leaves
        soon after an update, and gives back what only the new release knows.
        """
        self._catalog.workers.start(self._worker_id, hour, self._run_id)
        until = time.monotonic() + self._life()
        linger = max(self._terms.linger_seconds, STANDBY_SECONDS if self._terms.standby else 0)
        self._is_of_queue = True
        with self._present() as wake:
            while time.monotonic() < until and not self._is_outdated and (room := self._room()):
                lease = self._lease((hour, hour + HOUR), room) or self._lease(ALWAYS, room)
                if lease:
                    self._work(lease)
                elif not wake.wait(linger) and self._leave():
                    break

    def drain_hour(self, hour: datetime) -> None:
        """Process queued images of ``hour`` only, until every image of it is done or failed, however many they are."""
        span = (hour, hour + HOUR)
        self._catalog.workers.start(self._worker_id, hour, self._run_id, only_hour=True)
        with self._present() as wake:
            while True:
                if lease := self._lease(span, self._batch()):
                    self._work(lease)
                elif self._is_finished(span):
                    break
                else:
                    wake.wait(1.0)

    @contextmanager
    def _present(self) -> Iterator[_Wake]:
        """Be a worker that is seen, and say at the end that it is gone, also when it is told to end."""
        with self._interrupts.held():
            try:
                with self._renewing(), self._listening() as wake:
                    yield wake
            finally:
                # the other thread, which may just have said that the worker is here, has ended
                with suppress(Unavailable):  # then it counts as gone when it is not seen any more
                    self._catalog.workers.leave(self._worker_id, self._finished, anyway=True)

    def _life(self) -> float:
        """Return how many seconds to live: not as many as another that began at the same time."""
        return self._terms.life_seconds * (1 - self._worker_id.int % 1024 / 4096)

    def _room(self) -> int:
        """Return how many images may be leased at once; 0 when the limit of images is reached."""
        if not self._terms.images_limit:
            return self._batch()
        return max(0, min(self._batch(), self._terms.images_limit - self._finished))

    def _batch(self) -> int:
        return max(1, min(self._terms.lease_batch, int(LEASED_SECONDS / self._seconds_each)))

    def _is_finished(self, span: tuple[datetime, datetime]) -> bool:
        remaining = self._catalog.queue.remaining(span)
        return not remaining.get(State.QUEUED) and not remaining.get(State.PROCESSING)

    def _leave(self) -> bool:
        leave = partial(self._catalog.workers.leave, self._worker_id, standby=self._terms.standby)
        return _patiently(lambda: leave(self._finished))

    def _lease(self, span: tuple[datetime, datetime], count: int) -> Lease | None:
        """Lease images; where the answer to a first try was lost, find those that it leased."""
        self._check()
        queue, token, seconds, tries = self._catalog.queue, uuid4(), self._terms.lease_seconds, itertools.count()

        def lease() -> Lease | None:
            found = queue.find_lease(token, seconds) if next(tries) else None
            return found or queue.lease(self._run_id, count, seconds, span, token=token)

        return _patiently(lease, self._pause)

    def _check(self) -> None:
        """Raise what ended the thread that renews: a worker without it is a danger to its images."""
        if self._mistake:
            raise self._mistake

    def _pause(self, seconds: float) -> None:
        with self._interrupts.allowed():
            time.sleep(seconds)

    def _work(self, lease: Lease) -> None:
        """Process the images of a lease; whatever happens, save what is finished and give back the rest."""
        self._holding.take(lease)
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

    def _originals(self, lease: Lease) -> Iterator[tuple[Leased, bytes]]:
        for portion in _portions(lease.images):
            images = [image for image in portion if self._holding.has(image.id)]
            originals = _patiently(partial(self._catalog.queue.originals, images), self._pause) if images else {}
            for image in images:
                # neither deleted nor edited nor given back meanwhile
                if image.id in originals and self._holding.begin(image.id):
                    yield image, originals.pop(image.id)

    def _process(self, token: UUID, image: Leased, original: bytes) -> Result | None:
        self._check()
        with self._interrupts.allowed():
            self._sandbox.warm()  # a decoder that does not start is no picture's fault: it ends the run
        report = _Progress(self._catalog, token, image.id)
        if image.attempt == 1:
            traces.note("wait", image.id, (datetime.now(UTC) - image.created_at).total_seconds())
        facts = log.bind(image=image.id, run=self._run_id, attempt=image.attempt)
        began = time.perf_counter()
        try:
            recipe = Recipe.parse(dict(image.recipe))
            with self._interrupts.allowed():
                renditions = self._sandbox.process(original, recipe, report, self._timings.note)
        except InvalidRecipe as error:
            if self._is_of_queue and _patiently(self._look_at_release):
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
        facts.info("processed", seconds=round(seconds, 4))
        traces.note("process", image.id, seconds, run=self._run_id, attempt=image.attempt)
        return Result(image, renditions, seconds)

    def _save(self, *, is_patient: bool = True) -> None:
        """Save what is finished; what cannot be saved is kept."""
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
        self._holding.drop(result.image.id)
        if not is_saved:
            log.info("dropped", image=result.image.id, run=self._run_id, attempt=result.image.attempt)
            return
        traces.note("save", result.image.id, seconds, images=images)
        tally = self._tally(result.image)
        tally.done += 1
        tally.seconds.append(result.seconds)
        self._finished += 1

    def _fail(self, token: UUID, image: Leased, error: ImagoMortisError, seconds: float, facts: Log) -> None:
        state = _patiently(lambda: self._catalog.queue.fail(token, image.id, error.detail, error.slug, seconds))
        self._holding.drop(image.id)
        with self._ending:
            self._finished += 1
            if state is State.FAILED:
                self._tally(image).failed += 1
            elif state is State.QUEUED:
                self._tally(image).retried += 1
        traces.note(
            "process", image.id, seconds, error.detail, run=self._run_id, attempt=image.attempt, kind=error.slug
        )
        facts.warning("failed", error=error.detail, kind=error.slug, state=state, seconds=round(seconds, 4))

    def _give_back(self, token: UUID) -> None:
        with self._ending:
            if ids := self._holding.drop_all():
                given = _patiently(lambda: self._catalog.queue.give_back(token, ids))
                log.info("gave back", run=self._run_id, images=len(given))

    def _tally(self, image: Leased) -> Tally:
        return self._tallies.setdefault(hour_of(image.created_at), Tally())

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Renew the leases, and say that the worker is alive, in time for both; save what waits for long."""
        stop = threading.Event()
        thread = threading.Thread(target=self._look_after, args=[stop], name="renew", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(Unavailable):  # figures only; what the images need is written by now
                self._tell_timings()

    def _tell_timings(self) -> None:
        timings = self._timings.take()
        try:
            self._catalog.figures.add_timings(timings)
        except Unavailable:
            self._timings.put_back(timings)
            raise

    def _look_after(self, stop: threading.Event) -> None:
        try:
            self._renew_until(stop)
        except Exception as error:  # whatever it is, this worker renews no lease any more; its thread ends it
            log.exception("cannot renew", run=self._run_id, error=repr(error))
            self._mistake = error

    def _renew_until(self, stop: threading.Event) -> None:
        period = min(self._terms.lease_seconds, SEEN_SECONDS) / 3
        renewal = time.monotonic() + period
        while not stop.wait(min(period, SAVE_SECONDS)):
            try:
                if time.monotonic() >= renewal:
                    renewal = time.monotonic() + period
                    self._renew()
                self._tidy()
            except Unavailable as error:
                renewal = time.monotonic()
                log.warning("cannot write", run=self._run_id, error=error.detail)
                stop.wait(min(period, PAUSE_SECONDS))

    def _renew(self) -> None:
        token, ids = self._holding.now()
        self._look_at_release()
        if token and ids:
            kept = self._catalog.queue.renew(token, ids, self._terms.lease_seconds)
            self._holding.keep(token, ids, kept)
        self._tell_timings()

    def _look_at_release(self) -> bool:
        """Say that the worker is here; return whether the pusher is of another release."""
        release = self._catalog.workers.seen(self._worker_id, self._finished)
        self._is_outdated = release not in {None, self._release}
        return self._is_outdated

    def _tidy(self) -> None:
        """Behind a picture that takes long, save what is finished, and give back what a pause lets nobody begin."""
        if not self._ending.acquire(blocking=False):
            return  # the other thread is just at it, and may have to be patient
        try:
            if self._unsaved.is_overdue():
                self._save(is_patient=False)
            if self._holding.is_kept_waiting() and self._catalog.control.paused_at():
                self._give_back_waiting()
        finally:
            self._ending.release()

    def _give_back_waiting(self) -> None:
        token, ids = self._holding.drop_waiting()
        if not token or not ids:
            return
        try:
            given = self._catalog.queue.give_back(token, ids)
        except BaseException:
            self._holding.put_back(ids)
            raise
        log.info("gave back", run=self._run_id, images=len(given), cause="paused")

    @contextmanager
    def _listening(self) -> Iterator[_Wake]:
        wake = _Wake(self._catalog, self._interrupts)
        try:
            yield wake
        finally:
            wake.close()


class _Unsaved:
    """The images of a lease that are processed and not saved, shared with the thread that saves what waits for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token = UUID(int=0)
        self._results: list[Result] = []
        self._saved = self._oldest = time.monotonic()

    def begin(self, token: UUID) -> None:
        with self._lock:
            self._token, self._results, self._saved = token, [], time.monotonic()

    def add(self, result: Result) -> None:
        with self._lock:
            if not self._results:
                self._oldest = time.monotonic()
            self._results.append(result)

    def now(self) -> tuple[UUID, list[Result]]:
        with self._lock:
            return self._token, list(self._results)

    def drop(self, count: int) -> None:
        """Forget the first ones, which are saved."""
        with self._lock:
            del self._results[:count]
            self._saved = self._oldest = time.monotonic()

    def is_worth_saving(self) -> bool:
        with self._lock:
            return _is_worth_saving(self._results, time.monotonic() - self._saved)

    def is_overdue(self) -> bool:
        with self._lock:
            return bool(self._results) and time.monotonic() - self._oldest >= SAVE_SECONDS


class _Holding:
    """The images that the worker has leased and not ended, shared with the thread that renews."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: UUID | None = None
        self._ids: set[UUID] = set()
        self._begun: set[UUID] = set()
        self._looked = time.monotonic()

    def take(self, lease: Lease) -> None:
        with self._lock:
            self._token, self._ids = lease.token, {image.id for image in lease.images}
            self._begun, self._looked = set(), time.monotonic()

    def has(self, image_id: UUID) -> bool:
        with self._lock:
            return image_id in self._ids

    def begin(self, image_id: UUID) -> bool:
        """Whether the image is still held; if so, it does not wait any more."""
        with self._lock:
            if image_id not in self._ids:
                return False
            self._begun.add(image_id)
            return True

    def is_kept_waiting(self) -> bool:
        """Whether images wait, asked no more often than every PAUSE_SECONDS of a lease."""
        with self._lock:
            if time.monotonic() - self._looked < PAUSE_SECONDS:
                return False
            self._looked = time.monotonic()
            return bool(self._ids - self._begun)

    def drop_waiting(self) -> tuple[UUID | None, list[UUID]]:
        """Forget the images that are not begun, and return them."""
        with self._lock:
            waiting = self._ids - self._begun
            self._ids &= self._begun
            return self._token, list(waiting)

    def put_back(self, ids: Sequence[UUID]) -> None:
        with self._lock:
            self._ids |= set(ids)

    def drop(self, image_id: UUID) -> None:
        with self._lock:
            self._ids.discard(image_id)

    def drop_all(self) -> list[UUID]:
        with self._lock:
            ids, self._ids = list(self._ids), set()
            return ids

    def now(self) -> tuple[UUID | None, list[UUID]]:
        with self._lock:
            return self._token, list(self._ids)

    def keep(self, token: UUID, asked: Sequence[UUID], kept: set[UUID]) -> None:
        """Forget the images whose lease is lost: deleted, edited, or expired. Another lease may hold them since."""
        with self._lock:
            if token == self._token:
                self._ids -= set(asked) - kept


class _Wake:
    """Waits until the queue is told of images; a connection that breaks is opened again."""

    def __init__(self, catalog: Catalog, interrupts: Interrupts) -> None:
        self._catalog = catalog
        self._interrupts = interrupts
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Return True as soon as there may be something to lease, False after ``seconds`` without a word."""
        with self._interrupts.allowed():
            return self._wait(seconds)

    def _wait(self, seconds: float) -> bool:
        try:
            if self._connection is None:
                self._connection = self._catalog.database.listen(QUEUE_CHANNEL)
                return True  # something may have come before anyone listened
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except (Unavailable, psycopg.OperationalError) as error:
            log.warning("cannot listen", error=str(error))
            self.close()
            time.sleep(0.5)
            return True

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.OperationalError):  # it is broken already
                connection.close()


class _Progress:
    """Takes the progress of one image, and writes it down at most twice a second."""

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
        with suppress(Unavailable):  # progress is a courtesy; the result waits for Postgres
            self._catalog.queue.report_progress(self._token, self._image_id, progress)


def _portions(images: Sequence[Leased]) -> Iterator[list[Leased]]:
    """Split images into portions of up to FETCH_BYTES."""
    portion: list[Leased] = []
    size = 0
    for image in images:
        if portion and size + image.size > FETCH_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(image)
        size += image.size
    if portion:
        yield portion


def _is_worth_saving(results: Sequence[Result], seconds: float) -> bool:
    if not results:
        return False
    size = sum(len(rendition.data) for result in results for rendition in result.renditions)
    return len(results) >= SAVE_IMAGES or size >= SAVE_BYTES or seconds >= SAVE_SECONDS


def _patiently(action: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """Do ``action`` again while Postgres is away, for up to PATIENCE_SECONDS: it may only be restarting."""
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
