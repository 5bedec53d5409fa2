"""The worker: it owes every image an end, whatever happens to it, to the child process or to Postgres."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from traceback import walk_stack
from types import FrameType
from typing import Any, NoReturn
from uuid import UUID, uuid4

import pytest
from PIL import Image
from psycopg.rows import DictRow
from psycopg.sql import SQL

from imagomortis import version
from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Lease, Leased
from imagomortis.errors import Unavailable
from imagomortis.lifecycle import Outcome, State
from imagomortis.picture.header import Header, Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.settings import Settings
from imagomortis.storage import opened, original_name
from imagomortis.work.held_lease import HeldLease
from imagomortis.work.worker import CONNECTIONS, Terms, Worker
from tests.support.pictures import photo, save
from tests.support.random_rounds import chance_of
from tests.support.uploads import NOON, upload
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

LIMITS = Limits(100 * 2**20, 100_000_000, 65_500)
RECIPE = Recipe.parse("circles")
ENDLESS = Recipe.parse({"steps": [{"transform": "circles", "count": 1000, "largest": "900%"}] * 50})
BRIEF = Terms(linger_seconds=0)
HEADER = Header("PNG", "image/png", 8, 6, 1, 1, 100, 100)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, 1024 * 2**20, 120) as found:
        yield found


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """The sandbox of all tests, whose child starts once."""
    yield shared
    vars(shared).pop("process", None)  # a test may have replaced it


def add(
    catalog: Catalog, number_of: int = 1, data: bytes | None = None, recipe: Recipe = RECIPE, *, after: int = 0
) -> list[UUID]:
    """Queue so many pictures, created ``after`` so many seconds, a second apart."""
    arrivals = []
    for number in range(number_of):
        original = data or photo(96, 64, seed=number)
        new = upload(
            original,
            NOON + timedelta(seconds=after + number),
            recipe=recipe.as_json(),
            recipe_digest=recipe.digest,
            recipe_name=None,
        )
        arrivals.append((new, original))
    catalog.queue.add(arrivals)
    return [new.id for new, _ in arrivals]


def worker(catalog: Catalog, sandbox: Sandbox, terms: Terms = BRIEF) -> Worker:
    return Worker(catalog, sandbox, uuid4(), "run", terms)


def states(catalog: Catalog, ids: list[UUID]) -> set[State | None]:
    found = [catalog.images.one(image_id) for image_id in ids]
    return {image.state if image else None for image in found}


def test_queued_images_are_done_with_both_renditions(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 40)
    task = worker(catalog, sandbox)
    task.drain(NOON)
    assert states(catalog, ids) == {State.DONE}
    assert all(len(catalog.images.renditions(image_id)) == 2 for image_id in ids)
    assert task.statistics[NOON].done == len(task.statistics[NOON].seconds) == 40


def test_an_image_is_done_with_its_asset_also_after_that_was_replaced(catalog: Catalog, sandbox: Sandbox) -> None:
    red, blue = (save(Image.new("RGB", (8, 6), colour), "PNG") for colour in ("#ff0000", "#0000ff"))
    steps = [{"transform": "overlay", "asset": "logo", "layout": "stretched"}, {"transform": "encode", "format": "png"}]
    catalog.assets.save("logo", red, HEADER)
    recipe = catalog.assets.fixed(Recipe.parse({"steps": steps}))
    catalog.assets.save("logo", blue, HEADER)
    [image_id] = add(catalog, recipe=recipe)
    worker(catalog, sandbox).drain(NOON)
    made = catalog.images.picture(image_id, "processed", head=2**20)
    assert made
    with Image.open(io.BytesIO(made.head)) as picture:
        assert picture.getpixel((10, 10)) == (255, 0, 0)


def test_an_image_without_its_asset_fails_with_the_reason(catalog: Catalog, sandbox: Sandbox) -> None:
    [image_id] = add(catalog, recipe=Recipe.parse({"steps": [{"transform": "overlay", "asset": "logo"}]}))
    worker(catalog, sandbox).drain(NOON)
    image = catalog.images.one(image_id)
    assert image
    assert (image.state, image.error_kind) == (State.FAILED, "transform-failed")
    assert "there was no asset 'logo'" in (image.error or "")


def test_images_of_other_hours_are_processed_too(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 3)
    worker(catalog, sandbox).drain(NOON - timedelta(hours=5))
    assert states(catalog, ids) == {State.DONE}


def test_draining_an_hour_leaves_the_others_alone(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 2)
    worker(catalog, sandbox).drain_hour(NOON - timedelta(hours=5))
    assert states(catalog, ids) == {State.QUEUED}
    worker(catalog, sandbox).drain_hour(NOON)
    assert states(catalog, ids) == {State.DONE}


def test_only_a_worker_that_drains_an_hour_is_noted_to_keep_to_it(catalog: Catalog, sandbox: Sandbox) -> None:
    add(catalog)
    worker(catalog, sandbox).drain_hour(NOON)
    worker(catalog, sandbox).drain(NOON)
    with catalog.database.connection() as connection:
        noted = connection.execute("SELECT only_hour FROM workers ORDER BY started_at").fetchall()
    assert [row["only_hour"] for row in noted] == [True, False]


def test_an_empty_hour_needs_no_worker(catalog: Catalog, sandbox: Sandbox) -> None:
    worker(catalog, sandbox).drain_hour(NOON)
    with catalog.database.connection() as connection:
        assert connection.execute("SELECT FROM workers").fetchall() == []


@pytest.mark.parametrize(("room", "statement"), [("workers", "start"), ("queue", "remaining")])
def test_a_worker_of_an_hour_waits_for_postgres(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, room: str, statement: str
) -> None:
    answer, tries = getattr(getattr(catalog, room), statement), count()

    def away_first(*args: object, **others: object) -> object:
        if next(tries) == 0:
            raise Unavailable("Postgres is away.")
        return answer(*args, **others)

    monkeypatch.setattr(getattr(catalog, room), statement, away_first)
    ids = add(catalog)
    worker(catalog, sandbox).drain_hour(NOON)
    assert states(catalog, ids) == {State.DONE}


def test_a_limit_of_images_is_kept(catalog: Catalog, sandbox: Sandbox) -> None:
    add(catalog, 5)
    worker(catalog, sandbox, Terms(linger_seconds=0, images_limit=2)).drain(NOON)
    assert catalog.queue.depth().queued == 3


@pytest.mark.parametrize(("leased_seconds", "sizes"), [(1e-6, [4, 1, 1, 1, 1]), (1e9, [4, 4])])
def test_of_images_that_take_long_few_are_leased_at_once(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, leased_seconds: float, sizes: list[int]
) -> None:
    monkeypatch.setattr("imagomortis.work.worker.LEASED_SECONDS", leased_seconds)
    lease, found = catalog.queue.lease, []

    def noted(*args: Any, **values: Any) -> Lease | None:
        if taken := lease(*args, **values):
            found.append(len(taken.images))
        return taken

    monkeypatch.setattr(catalog.queue, "lease", noted)
    add(catalog, 8)
    worker(catalog, sandbox).drain(NOON)
    assert found == sizes


def test_a_worker_leaves_after_its_life_although_images_wait(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = sandbox.process

    def process_slowly(*args: Any) -> object:
        time.sleep(0.1)  # so that not all are done within the life, however fast the machine is
        return process(*args)

    monkeypatch.setattr(sandbox, "process", process_slowly)
    sandbox.warm()
    ids = add(catalog, 60, photo(96, 64))
    worker(catalog, sandbox, Terms(lease_batch=1, life_seconds=3.0)).drain(NOON)
    assert states(catalog, ids) == {State.DONE, State.QUEUED}
    assert catalog.workers.alive() == 0


def test_a_limit_of_images_leaves_nothing_of_an_hour_undone(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 5)
    task = worker(catalog, sandbox, Terms(linger_seconds=0, images_limit=2))
    thread = threading.Thread(target=task.drain_hour, args=[NOON], daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert states(catalog, ids) == {State.DONE}


@pytest.mark.parametrize("why", ["an update", "the end of its life"])
def test_a_worker_stands_by_until_another_one_does_in_its_place(catalog: Catalog, sandbox: Sandbox, why: str) -> None:
    task = worker(catalog, sandbox, Terms(linger_seconds=0, standby=1, life_seconds=1800 if why == "an update" else 0))
    thread = threading.Thread(target=task.drain, args=[NOON], daemon=True)
    thread.start()
    catalog.workers.note_release("of the next week" if why == "an update" else version())
    wait_until(lambda: catalog.workers.census().leaving == 1)
    [image_id] = add(catalog, 1)
    wait_until(lambda: states(catalog, [image_id]) == {State.DONE})
    assert thread.is_alive(), "and goes on working"
    stand_by(catalog, 1)
    thread.join(120)
    assert not thread.is_alive()
    assert catalog.workers.alive() == 1


def test_a_worker_in_whose_place_none_comes_leaves_all_the_same(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.work.worker.REPLACEMENT_SECONDS", 0.5)
    worker(catalog, sandbox, Terms(linger_seconds=0, standby=1, life_seconds=0)).drain(NOON)
    assert catalog.workers.alive() == 0


def stand_by(catalog: Catalog, number: int) -> None:
    """Record other live workers, to which this one can leave the queue."""
    for _ in range(number):
        catalog.workers.start(uuid4(), NOON, "another run")
    with catalog.database.connection() as connection:
        connection.execute("UPDATE workers SET seen_at = now() + interval '1 hour' WHERE run_id = 'another run'")


def test_fifty_workers_take_three_connections_each(catalog: Catalog, sandbox: Sandbox, database: str) -> None:
    terms, number = Terms(linger_seconds=0, standby=50), 50
    catalogs = [Catalog(database, CONNECTIONS) for _ in range(number)]
    threads = [threading.Thread(target=worker(own, sandbox, terms).drain, args=[NOON], daemon=True) for own in catalogs]
    for thread in threads:
        thread.start()

    def connections(name: str) -> int:
        with catalog.database.connection() as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
                [name],
            ).fetchall()
        return int(found[0]["count"])

    wait_until(lambda: connections("imagomortis listener") == number)
    assert connections("imagomortis") <= CONNECTIONS * number + 1, "and one that looks"
    catalog.workers.note_release("of the next week")
    stand_by(catalog, number)
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for own in catalogs:
        own.close()


def test_images_that_arrive_while_a_worker_lingers_are_processed_at_once(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, found_nothing = catalog.queue.lease, threading.Event()

    def noted(*args: Any, **values: Any) -> Lease | None:
        found = lease(*args, **values)
        if found is None:
            found_nothing.set()
        return found

    monkeypatch.setattr(catalog.queue, "lease", noted)
    task = worker(catalog, sandbox, Terms(linger_seconds=300, images_limit=1))
    thread = threading.Thread(target=task.drain, args=[NOON], daemon=True)
    thread.start()
    assert found_nothing.wait(60)
    [image_id] = add(catalog)
    wait_until(lambda: states(catalog, [image_id]) == {State.DONE})
    thread.join(60)
    assert not thread.is_alive()
    assert catalog.workers.alive() == 0


def test_a_broken_picture_fails_after_three_attempts_and_its_neighbours_do_not(
    catalog: Catalog, sandbox: Sandbox
) -> None:
    good = add(catalog, 3)
    [bad] = add(catalog, 1, data=photo(96, 64, seed=9)[:400])
    worker(catalog, sandbox).drain(NOON)
    assert states(catalog, good) == {State.DONE}
    assert states(catalog, [bad]) == {State.FAILED}
    attempts = catalog.images.attempts(bad)
    assert [attempt.outcome for attempt in attempts] == [Outcome.FAILED] * 3
    assert all(attempt.error and attempt.run_id == "run" for attempt in attempts)


def test_a_lost_original_fails_after_three_attempts_and_its_neighbours_do_not(
    database: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    store = opened(Settings(storage=f"file://{tmp_path}"))
    assert store is not None
    with Catalog(database, objects=store) as catalog:
        lost, *others = add(catalog, 3)
        store.delete([original_name(lost)])
        worker(catalog, sandbox).drain(NOON)
        image = catalog.images.one(lost)
        assert image is not None
        assert (image.state, image.error_kind, image.failed_attempts) == (State.FAILED, "bytes-damaged", 3)
        assert states(catalog, others) == {State.DONE}


def test_a_child_that_is_killed_costs_one_image_one_attempt(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add(catalog, 3) + add(catalog, 1, data=photo(1600, 1200, seed=1))
    process, killed = sandbox.process, list[int]()

    def kill_at_work(original: bytes, recipe: Recipe, report: Callable[[Any], None], *rest: Any) -> object:
        def kill_once(progress: object) -> None:
            if len(original) > 100_000 and not killed:
                assert sandbox.pid
                os.kill(sandbox.pid, signal.SIGKILL)
                killed.append(sandbox.pid)
            report(progress)

        return process(original, recipe, kill_once, *rest)

    monkeypatch.setattr(sandbox, "process", kill_at_work)
    worker(catalog, sandbox).drain(NOON)
    assert killed
    assert states(catalog, ids) == {State.DONE}
    outcomes = [attempt.outcome for image_id in ids for attempt in catalog.images.attempts(image_id)]
    assert outcomes.count(Outcome.FAILED) <= 1
    assert outcomes.count(Outcome.DONE) == 4


def test_a_picture_that_crashes_the_decoder_fails_with_its_cause_and_its_neighbours_do_not(
    catalog: Catalog, sandbox: Sandbox
) -> None:
    good = add(catalog, 3)
    [bad] = add(catalog, 1, recipe=ENDLESS, after=3)
    late = add(catalog, 3, after=4)
    stop = threading.Event()

    def crash_whenever_it_is_worked_on() -> None:
        while not stop.wait(0.01):
            child, image = sandbox.pid, catalog.images.one(bad)
            if image and image.progress and child:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGSEGV)

    thread = threading.Thread(target=crash_whenever_it_is_worked_on)
    thread.start()
    try:
        worker(catalog, sandbox).drain(NOON)
    finally:
        stop.set()
        thread.join()
    assert states(catalog, good + late) == {State.DONE}
    assert {attempt.outcome for each in good + late for attempt in catalog.images.attempts(each)} == {Outcome.DONE}
    assert states(catalog, [bad]) == {State.FAILED}
    causes = [attempt.error or "" for attempt in catalog.images.attempts(bad)]
    assert len(causes) == 3
    assert all("SIGSEGV" in cause for cause in causes)


def test_an_image_deleted_in_flight_is_dropped(catalog: Catalog, sandbox: Sandbox) -> None:
    [image_id] = add(catalog)
    with held_up(sandbox, at=0) as (begun, go):
        thread = threading.Thread(target=worker(catalog, sandbox).drain, args=[NOON])
        thread.start()
        assert begun.wait(60)
        assert catalog.images.delete([image_id]) == [image_id]
        go.set()
        thread.join(60)
    assert catalog.images.restore([image_id]) == [image_id]
    assert states(catalog, [image_id]) == {State.QUEUED}
    assert catalog.images.renditions(image_id) == []


def test_an_interrupt_saves_what_is_finished_and_gives_back_the_rest(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 20)
    ids += add(catalog, 1, data=photo(4000, 3000, seed=1), after=20) + add(catalog, 5, after=21)
    task = worker(catalog, sandbox)
    process = sandbox.process

    def interrupted(original: bytes, *rest: object) -> object:
        if len(original) > 100_000:
            raise Interrupt
        return process(original, *rest)  # type: ignore[arg-type]

    sandbox.process = interrupted  # type: ignore[method-assign,assignment]
    with pytest.raises(Interrupt):
        task.drain(NOON)
    found = [catalog.images.one(image_id) for image_id in ids]
    counts = {state: sum(image is not None and image.state is state for image in found) for state in State}
    assert (counts[State.DONE], counts[State.QUEUED]) == (20, 6)
    assert all(image.failed_attempts == 0 for image in found if image)


class Interrupt(BaseException):
    """What Dagster raises on SIGTERM."""


@contextmanager
def raising() -> Iterator[None]:
    """Let SIGTERM raise wherever a worker is at that moment, as it does in a run."""

    def handler(_number: int, frame: FrameType | None) -> None:
        if frame is None or any(each.f_code is Worker.drain.__code__ for each, _ in walk_stack(frame)):
            raise Interrupt

    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("rounds", [10, pytest.param(30, marks=pytest.mark.soak)])
def test_signals_at_any_moment_cost_no_picture_an_attempt(catalog: Catalog, sandbox: Sandbox, rounds: int) -> None:
    ids = add(catalog, 150, data=photo(48, 32, seed=1))
    moments = chance_of(rounds)
    for _ in range(rounds):
        sandbox.warm()
        task = worker(catalog, sandbox, Terms(lease_batch=3, linger_seconds=5))
        ended = threading.Event()

        def send(ended: threading.Event = ended) -> None:
            time.sleep(moments.uniform(0.001, 0.06))
            while not ended.is_set():
                for _ in range(3):  # the supervisor sends one to the run and one to its group, and Dagster one more
                    time.sleep(moments.uniform(0, 0.004))
                    os.kill(os.getpid(), signal.SIGTERM)
                ended.wait(0.3)  # psycopg does not notice any that follow each other without a pause

        sender = threading.Thread(target=send)
        with raising():
            sender.start()
            with pytest.raises(Interrupt):
                task.drain(NOON)
            ended.set()
            sender.join()
        assert State.PROCESSING not in states(catalog, ids)
    worker(catalog, sandbox).drain(NOON)
    assert states(catalog, ids) == {State.DONE}
    outcomes = {attempt.outcome for image_id in ids for attempt in catalog.images.attempts(image_id)}
    assert outcomes == {Outcome.DONE}


@contextmanager
def held_up(sandbox: Sandbox, at: int) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let the picture of this number wait, once it is begun, until it is let go."""
    begun, go, process, pictures = threading.Event(), threading.Event(), sandbox.process, count()

    def slowly(*args: object) -> object:
        if next(pictures) == at:
            begun.set()
            go.wait(100)
        return process(*args)  # type: ignore[arg-type]

    sandbox.process = slowly  # type: ignore[method-assign,assignment]
    try:
        yield begun, go
    finally:
        go.set()


def test_finished_images_are_saved_during_a_long_next_one(catalog: Catalog, sandbox: Sandbox) -> None:
    first, second, last = add(catalog, 3)
    task = worker(catalog, sandbox)
    with held_up(sandbox, at=2) as (begun, go):
        thread = threading.Thread(target=task.drain, args=[NOON])
        thread.start()
        assert begun.wait(60)
        wait_until(lambda: states(catalog, [first, second]) == {State.DONE})
        assert states(catalog, [last]) == {State.PROCESSING}
        go.set()
        thread.join(60)
    assert states(catalog, [last]) == {State.DONE}
    assert [len(catalog.images.attempts(each)) for each in (first, second, last)] == [1, 1, 1]
    assert task.statistics[NOON].done == len(task.statistics[NOON].seconds) == 3


def test_unsaved_results_are_saved_in_the_end(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = add(catalog, 3)
    task, save, tries = worker(catalog, sandbox), catalog.queue.save, threading.Event()

    def away(*args: object) -> set[UUID]:
        if threading.current_thread().name != "tidy":
            return save(*args)  # type: ignore[arg-type]
        tries.set()
        raise Unavailable("Postgres is away.")

    monkeypatch.setattr(catalog.queue, "save", away)
    with held_up(sandbox, at=2) as (_, go):
        thread = threading.Thread(target=task.drain, args=[NOON])
        thread.start()
        assert tries.wait(60)
        go.set()
        thread.join(60)
    assert states(catalog, images) == {State.DONE}
    assert task.statistics[NOON].done == 3


def test_images_that_cannot_be_saved_are_given_back(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise Unavailable("no room for renditions")

    monkeypatch.setattr("imagomortis.work.worker.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(catalog.queue, "save", full)
    ids = add(catalog, 3)
    with pytest.raises(Unavailable, match="no room"):
        worker(catalog, sandbox).drain(NOON)
    found = [catalog.images.one(image_id) for image_id in ids]
    assert {(image.state, image.attempt, image.failed_attempts) for image in found if image} == {(State.QUEUED, 0, 0)}


def test_a_renewal_of_the_former_lease_says_nothing_of_the_next() -> None:
    held = HeldLease()
    image = Leased(uuid4(), NOON, "picture.jpg", b"", 1, 1, {}, RECIPE.digest)
    former, present = Lease(uuid4(), (image,)), Lease(uuid4(), (image,))
    held.take(former)
    held.take(present)
    held.keep(former.token, [image.id], set())
    assert held.has(image.id)
    held.keep(present.token, [image.id], set())
    assert not held.has(image.id)


def test_a_worker_that_leaves_while_it_says_that_it_is_here_is_gone(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave, calls = catalog.workers.leave, count()

    def leave_and_be_seen(worker_id: UUID, images: int, **terms: Any) -> bool:
        has_left = leave(worker_id, images, **terms)
        if next(calls) == 0:
            catalog.workers.seen(worker_id, images)
        return has_left

    monkeypatch.setattr(catalog.workers, "leave", leave_and_be_seen)
    worker(catalog, sandbox).drain(NOON)
    assert catalog.workers.alive() == 0


def test_unsaved_results_of_edited_images_are_dropped(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited, last = add(catalog, 2)
    task, save, saved = worker(catalog, sandbox), catalog.queue.save, threading.Event()

    def edit_and_save(*args: Any) -> set[UUID]:
        if not saved.is_set():
            catalog.images.apply_recipe([edited], RECIPE.as_json(), RECIPE.digest, None)
        found = save(*args)
        saved.set()
        return found

    monkeypatch.setattr(catalog.queue, "save", edit_and_save)
    with held_up(sandbox, at=1) as (_, go):
        thread = threading.Thread(target=task.drain, args=[NOON])
        thread.start()
        assert saved.wait(60)
        assert states(catalog, [edited]) == {State.QUEUED}
        go.set()
        thread.join(60)
    assert states(catalog, [edited, last]) == {State.DONE}
    assert [len(catalog.images.attempts(each)) for each in (edited, last)] == [1, 1]
    assert task.statistics[NOON].done == 2


@pytest.mark.parametrize("is_away_first", [False, True])
def test_a_pause_gives_back_what_is_leased_and_not_begun(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, is_away_first: bool
) -> None:
    first, *others = add(catalog, 5)
    give_back, tries = catalog.queue.give_back, count()

    def away(*args: object) -> set[UUID]:
        if is_away_first and next(tries) == 0:
            raise Unavailable("Postgres is away.")
        return give_back(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(catalog.queue, "give_back", away)
    with held_up(sandbox, at=0) as (begun, go):
        thread = threading.Thread(target=worker(catalog, sandbox).drain, args=[NOON])
        thread.start()
        assert begun.wait(60)
        catalog.control.pause()
        wait_until(lambda: states(catalog, others) == {State.QUEUED})
        assert states(catalog, [first]) == {State.PROCESSING}
        go.set()
        thread.join(60)
    assert states(catalog, [first]) == {State.DONE}
    assert states(catalog, others) == {State.QUEUED}
    catalog.control.resume()
    worker(catalog, sandbox).drain(NOON)
    found = [catalog.images.one(each) for each in (first, *others)]
    assert [(image.state, image.attempt, image.failed_attempts) for image in found if image] == [(State.DONE, 1, 0)] * 5


def test_small_pictures_cost_no_statement_of_their_own(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.warm()
    add(catalog, 64)
    asked = 0
    rows = catalog.database.rows

    def counted(statement: SQL, **values: object) -> list[DictRow]:
        nonlocal asked
        asked += 1
        return rows(statement, **values)

    monkeypatch.setattr(catalog.database, "rows", counted)
    worker(catalog, sandbox).drain(NOON)
    assert asked <= 32


def test_a_decoder_that_does_not_start_ends_the_run_and_costs_no_picture_an_attempt(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add(catalog, 3)
    sandbox.close()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(Unavailable, match="does not start"):
            worker(catalog, sandbox).drain(NOON)
    found = [catalog.images.one(image_id) for image_id in ids]
    assert {(image.state, image.failed_attempts) for image in found if image} == {(State.QUEUED, 0)}
    worker(catalog, sandbox).drain(NOON)
    assert states(catalog, ids) == {State.DONE}
    assert [len(catalog.images.attempts(image_id)) for image_id in ids] == [1, 1, 1]


def test_leases_are_renewed_while_a_picture_takes_long(catalog: Catalog, sandbox: Sandbox) -> None:
    [image_id] = add(catalog)
    terms = Terms(linger_seconds=0, lease_seconds=6)
    with held_up(sandbox, at=0) as (begun, go):
        thread = threading.Thread(target=worker(catalog, sandbox, terms).drain, args=[NOON])
        thread.start()
        assert begun.wait(60)
        expiry = lease_expiry(catalog)
        wait_until(lambda: lease_expiry(catalog) > expiry)
        go.set()
        thread.join(60)
    assert states(catalog, [image_id]) == {State.DONE}
    assert len(catalog.images.attempts(image_id)) == 1


def lease_expiry(catalog: Catalog) -> datetime:
    """When the lease of the only image ends."""
    with catalog.database.connection() as connection:
        [row] = connection.execute("SELECT lease_expires_at FROM images").fetchall()
    found: datetime = row["lease_expires_at"]
    return found


def test_a_worker_with_long_leases_is_seen_all_the_same(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.work.worker.SEEN_SECONDS", 0.6)
    task = worker(catalog, sandbox, Terms(linger_seconds=300, lease_seconds=60, images_limit=1))
    thread = threading.Thread(target=task.drain, args=[NOON], daemon=True)
    thread.start()
    times = set[datetime]()

    def times_seen() -> int:
        with catalog.database.connection() as connection:
            times.update(row["seen_at"] for row in connection.execute("SELECT seen_at FROM workers"))
        return len(times)

    wait_until(lambda: times_seen() >= 3)
    add(catalog)
    thread.join(60)
    assert not thread.is_alive()


def test_a_recipe_of_a_later_version_fails_with_its_cause(catalog: Catalog, sandbox: Sandbox) -> None:
    [image_id] = add(catalog)
    catalog.images.apply_recipe([image_id], {"steps": [{"transform": "time-travel"}]}, "2" * 64, None)
    worker(catalog, sandbox).drain(NOON)
    image = catalog.images.one(image_id)
    assert image is not None
    assert image.state is State.FAILED
    assert "time-travel" in (image.error or "")


def test_a_worker_of_another_release_than_the_pusher_gives_back_what_it_does_not_know_and_leaves(
    catalog: Catalog, sandbox: Sandbox
) -> None:
    known, unknown, late = add(catalog, 3)
    catalog.images.apply_recipe([unknown], {"steps": [{"transform": "time-travel"}]}, "2" * 64, None)
    catalog.workers.note_release("of the next week")
    task = worker(catalog, sandbox, Terms(linger_seconds=60))
    task.drain(NOON)
    assert states(catalog, [known, late]) == {State.DONE}
    image = catalog.images.one(unknown)
    assert image is not None
    assert (image.state, image.attempt, image.failed_attempts) == (State.QUEUED, 0, 0)
    assert catalog.workers.alive() == 0


def test_a_worker_leaves_soon_after_an_update_although_images_wait(catalog: Catalog, sandbox: Sandbox) -> None:
    ids = add(catalog, 3)
    catalog.workers.note_release("of the next week")
    with held_up(sandbox, at=0) as (begun, go):
        task = worker(catalog, sandbox, Terms(linger_seconds=60, lease_batch=1, lease_seconds=0.3))
        thread = threading.Thread(target=task.drain, args=[NOON])
        thread.start()
        assert begun.wait(60)
        wait_until(lambda: task._is_outdated)
        go.set()
        thread.join(60)
    assert states(catalog, ids) == {State.DONE, State.QUEUED}
    assert [image_id for image_id in ids if states(catalog, [image_id]) == {State.DONE}] == ids[:1]


def test_the_same_original_and_recipe_give_the_same_pixels(catalog: Catalog, sandbox: Sandbox) -> None:
    [image_id] = add(catalog)
    digests = set()
    for _ in range(2):
        worker(catalog, sandbox).drain(NOON)
        digests.add(tuple(found.sha256 for found in catalog.images.renditions(image_id)))
        catalog.images.retry([image_id])
    assert len(digests) == 1


def test_a_leaving_worker_stores_the_time_of_each_transform(catalog: Catalog, sandbox: Sandbox) -> None:
    add(catalog, 3, recipe=Recipe.parse({"steps": [{"transform": "blur"}, {"transform": "circles"}]}))
    worker(catalog, sandbox).drain(NOON)
    timings = catalog.figures.timings()
    for transform in ("blur", "circles"):
        own = [each for each in timings if each.transform == transform]
        assert sum(each.images for each in own) == 3
        assert 0 < sum(each.seconds for each in own) < 60


def test_a_worker_whose_leases_are_not_renewed_any_more_ends(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add(catalog, 3)
    task, process = worker(catalog, sandbox, Terms(linger_seconds=0, lease_seconds=3)), sandbox.process

    def crash(*_: object) -> NoReturn:
        raise ZeroDivisionError

    def until_it_is_noted(*args: object) -> object:
        wait_until(lambda: task._error is not None)
        return process(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(catalog.workers, "seen", crash)
    sandbox.process = until_it_is_noted  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        task.drain(NOON)
    assert State.PROCESSING not in states(catalog, ids)
    assert State.QUEUED in states(catalog, ids)


def test_leases_are_renewed_although_timings_cannot_be_written(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, 2)
    renewed, renew = threading.Event(), catalog.queue.renew

    def noted(*args: object) -> set[UUID]:
        renewed.set()
        return renew(*args)  # type: ignore[arg-type]

    def away(*_: object) -> NoReturn:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(catalog.queue, "renew", noted)
    monkeypatch.setattr(catalog.figures, "add_timings", away)
    with held_up(sandbox, at=0) as (_, go):
        thread = threading.Thread(
            target=worker(catalog, sandbox, Terms(linger_seconds=0, lease_seconds=2)).drain, args=[NOON]
        )
        thread.start()
        assert renewed.wait(60)
        go.set()
        thread.join(60)


def test_a_worker_that_is_told_to_end_says_that_it_is_gone(catalog: Catalog, sandbox: Sandbox) -> None:
    sandbox.warm()
    with raising(), pytest.raises(Interrupt), ended_while_idle(catalog):
        worker(catalog, sandbox, Terms(linger_seconds=60)).drain(NOON)
    assert catalog.workers.alive() == 0


@contextmanager
def ended_while_idle(catalog: Catalog) -> Iterator[None]:
    """Send SIGTERM when a worker is there, and again until the block is over, as a lost one would be."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.3):
            if catalog.workers.alive():
                os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def test_a_lease_whose_answer_was_lost_is_found_again(
    catalog: Catalog, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add(catalog, 3)
    lease, calls = catalog.queue.lease, count()

    def lost(*args: object, **values: object) -> Lease | None:
        found = lease(*args, **values)  # type: ignore[arg-type]
        if next(calls) == 0:
            raise Unavailable("The connection broke.")
        return found

    monkeypatch.setattr(catalog.queue, "lease", lost)
    worker(catalog, sandbox).drain(NOON)
    assert states(catalog, ids) == {State.DONE}
    assert {attempt.outcome for each in ids for attempt in catalog.images.attempts(each)} == {Outcome.DONE}
