"""What the system survives: any process killed at any moment, Postgres restarted, workers that freeze, power cuts."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

import httpx
import psutil
import pytest

from imagomortis.catalog import Catalog
from imagomortis.lifecycle import Outcome, State
from imagomortis.spool.spool import Spool
from tests.support import running_system
from tests.support.pictures import photo
from tests.support.random_rounds import chance_of
from tests.support.running_system import Stack, with_suppressed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

UPLOADS = 50
ROUNDS_IN_CI, ROUNDS_IN_SOAK = 1, 26
KILLS = 8
"""Processes that are killed in a round at least."""

HARMLESS_TO_KILL = ("resource_tracker",)
"""Parts of a command line of processes that hold no state and do nothing."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The system of the module."""
    with running_system.running(
        tmp_path_factory.mktemp("faults") / "home", linger_seconds=5, sandbox_seconds=600
    ) as found:
        yield found


@pytest.fixture
def stack(system: Stack) -> Stack:
    """A system that runs, and that the test may break or end."""
    if not system.is_running:
        system.start()
    return system


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """Different small pictures, drawn once."""
    return [photo(192, 128, seed=number) for number in range(20)]


def upload_all(
    stack: Stack, pictures: list[bytes], count: int = UPLOADS, is_enough: Callable[[], bool] = lambda: True
) -> dict[UUID, bytes]:
    """Upload so many pictures, and further ones until it is enough; return what was acknowledged.

    Each is uploaded as often as it takes to be accepted.
    """
    numbers = itertools.count()
    acknowledged: dict[UUID, bytes] = {}
    end = time.monotonic() + 300

    def upload(number: int) -> None:
        data = pictures[number % len(pictures)]
        until = time.monotonic() + 120
        while True:
            try:
                acknowledged[stack.upload(data, f"{number}.jpg")] = data
                return
            except httpx.HTTPError:
                assert time.monotonic() < until, f"no uploader for two minutes\n{stack.tail()}"
                time.sleep(0.1)

    def upload_some() -> None:
        while (number := next(numbers)) < count or not is_enough():
            upload(number)
            if number >= count:
                assert time.monotonic() < end, "what is waited for does not happen"
                time.sleep(0.1)

    with ThreadPoolExecutor(4) as threads:
        for uploading in [threads.submit(upload_some) for _ in range(4)]:
            uploading.result()
    return acknowledged


@contextmanager
def meanwhile(action: Callable[[], None], pause: Callable[[], float]) -> Iterator[None]:
    """Do something again and again, with pauses, during a block."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(pause()):
            action()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def assert_nothing_lost(stack: Stack, acknowledged: dict[UUID, bytes], seconds: float = 180) -> None:
    """Everything that was acknowledged is done, with its very bytes, and nothing is left in the spool."""
    states = stack.wait_until_ended(list(acknowledged), seconds)
    with stack.catalog() as catalog:
        failed = {image_id: causes(catalog, image_id) for image_id, state in states.items() if state is not State.DONE}
        assert not failed
        with catalog.database.connection() as connection:
            rows = connection.execute(
                "SELECT image_id, sha256(bytes) AS digest, "
                "(SELECT count(*) FROM renditions WHERE renditions.image_id = originals.image_id) AS renditions "
                "FROM originals WHERE image_id = ANY(%s)",
                [list(acknowledged)],
            ).fetchall()
    assert {row["image_id"]: bytes(row["digest"]) for row in rows} == {
        image_id: hashlib.sha256(data).digest() for image_id, data in acknowledged.items()
    }
    assert {row["renditions"] for row in rows} == {2}
    assert_nothing_left(Spool(stack.home / "spool"), acknowledged)


def assert_nothing_left(spool: Spool, acknowledged: Iterable[UUID]) -> None:
    """The spool holds nothing, but for drafts of uploads that were cut off, which the sweep removes."""
    folders = (spool.ready, spool.rejected, spool.inbox, spool.tus)
    wait_until(lambda: not any(list(folder.iterdir()) for folder in folders))
    assert {thing.name for thing in spool.incoming.iterdir()}.isdisjoint(map(str, acknowledged))
    spool.sweep(-1)  # an hour later
    assert list(spool.incoming.iterdir()) == []


def causes(catalog: Catalog, image_id: UUID) -> list[str | None]:
    return [attempt.error for attempt in catalog.images.attempts(image_id)]


def kill_someone(stack: Stack, chance: random.Random) -> str | None:
    """Kill one process of the system but `up` itself; return what it was."""
    candidates = [found for found in stack.commands()[1:] if not any(word in found[1] for word in HARMLESS_TO_KILL)]
    if not candidates:
        return None
    victim, command = chance.choice(candidates)
    with_suppressed(victim.kill)
    return command


def survive_kills(stack: Stack, pictures: list[bytes], number: int) -> None:
    chance = chance_of(number)
    killed: list[str | None] = []
    with meanwhile(lambda: killed.append(kill_someone(stack, chance)), lambda: chance.uniform(0.3, 1.5)):
        acknowledged = upload_all(stack, pictures, is_enough=lambda: len(list(filter(None, killed))) >= KILLS)
    assert_nothing_lost(stack, acknowledged)


@pytest.mark.parametrize("number", range(ROUNDS_IN_CI))
def test_any_process_may_be_killed_at_any_moment(stack: Stack, pictures: list[bytes], number: int) -> None:
    survive_kills(stack, pictures, number)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(ROUNDS_IN_CI, ROUNDS_IN_CI + ROUNDS_IN_SOAK))
def test_any_process_may_be_killed_for_long(stack: Stack, pictures: list[bytes], number: int) -> None:
    survive_kills(stack, pictures, number)


def test_postgres_may_restart_under_load(stack: Stack, pictures: list[bytes]) -> None:
    restarts: list[int] = []

    def restart() -> None:
        # an immediate shutdown: what a crash of the server looks like; `up` starts it again
        for found, command in stack.commands():
            if "bin/postgres -D" in command:
                with_suppressed(lambda found=found: found.send_signal(signal.SIGQUIT))
                restarts.append(found.pid)

    with meanwhile(restart, lambda: 0.7):
        acknowledged = upload_all(stack, pictures, is_enough=lambda: len(restarts) >= 3)
    assert_nothing_lost(stack, acknowledged)


def test_the_supervisor_may_be_killed_under_load(stack: Stack, pictures: list[bytes]) -> None:
    """`up` alone is killed, while its parts are at work, and started again at once."""
    is_killed = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        before = stack.log.stat().st_size
        uploading = threads.submit(upload_all, stack, pictures, is_enough=is_killed.is_set)
        try:
            wait_until(lambda: log_after(stack, before).count('"stored"') > 5)
            os.kill(stack.pid, signal.SIGKILL)
        finally:
            is_killed.set()
        stack.start()
        acknowledged = uploading.result()
    assert_nothing_lost(stack, acknowledged)


def test_a_worker_that_freezes_past_its_lease_disturbs_nobody(stack: Stack, pictures: list[bytes]) -> None:
    before = stack.log.stat().st_size
    large = photo(2000, 1500, seed=1)
    acknowledged = upload_all(stack, pictures, 4)
    stack.wait_until_ended(list(acknowledged))
    slow = json.dumps({"steps": [{"transform": "circles", "count": 500, "largest": "300%"}]})
    held = stack.upload(large, recipe=slow)
    with stack.catalog() as catalog:
        wait_until(lambda: running_system.states_of(catalog, [held]).get(held) is State.PROCESSING, 200, stack.tail)
        workers = wait_until(lambda: worker_processes(stack), 200, stack.tail)
        for worker in workers:
            worker.suspend()
        late = upload_all(stack, pictures, 3)
        assert set(stack.wait_until_ended([held, *late]).values()) == {State.DONE}
        for worker in workers:
            worker.resume()
        # the results of the frozen one came too late
        wait_until(lambda: '"dropped"' in log_after(stack, before), tell=stack.tail)
        outcomes = {image_id: [each.outcome for each in catalog.images.attempts(image_id)] for image_id in late}
        assert all(found.count(Outcome.DONE) == 1 for found in outcomes.values())
        assert [attempt.outcome for attempt in catalog.images.attempts(held)] == [Outcome.LOST, Outcome.DONE]
    assert_nothing_lost(stack, acknowledged | late | {held: large})


def test_a_postgres_that_stands_still_for_forty_seconds_costs_nobody_anything(
    stack: Stack, pictures: list[bytes]
) -> None:
    wait_until(lambda: not worker_processes(stack), 300, stack.tail)  # one that froze before could take it
    large = photo(2000, 1500, seed=2)
    slow = json.dumps({"steps": [{"transform": "circles", "count": 300, "largest": "300%"}]})
    held = stack.upload(large, recipe=slow)
    with stack.catalog() as catalog:
        wait_until(lambda: running_system.states_of(catalog, [held]).get(held) is State.PROCESSING, 200, stack.tail)
        workers = workers_asked_for(catalog)
        [postgres] = [found for found, command in stack.commands() if "bin/postgres -D" in command]
        # the worker's children stand still too, so it takes no processor time and is at work when Postgres goes on
        with running_system.suspended(*children_of(wait_until(lambda: worker_processes(stack), 200, stack.tail))):
            with running_system.suspended(postgres):
                late = {stack.upload(pictures[number]): pictures[number] for number in range(3)}
                time.sleep(40)
            wait_until(lambda: len(running_system.states_of(catalog, list(late))) == len(late), 300, stack.tail)
        stack.wait_until_ended([held, *late])
        outcomes = [attempt.outcome for image_id in (held, *late) for attempt in catalog.images.attempts(image_id)]
        assert outcomes == [Outcome.DONE] * 4
        assert workers_asked_for(catalog) == workers
        image = catalog.images.one(held)
        assert image
        assert wait_until(lambda: end_of_run(stack, image.run_id), 300, stack.tail) == "SUCCESS"
    assert_nothing_lost(stack, {held: large, **late})


def workers_asked_for(catalog: Catalog) -> int:
    with catalog.database.connection() as connection:
        [row] = connection.execute("SELECT count(*) FROM workers").fetchall()
    return int(row["count"])


def end_of_run(stack: Stack, run_id: str | None) -> str | None:
    """The status of a run that has ended."""
    query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    status = str(stack.ask_dagster(query, id=run_id)["runOrError"]["status"])
    return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None


def worker_processes(stack: Stack) -> list[psutil.Process]:
    """The processes of the runs that are at work: those that have a decoding child.

    One may have outlived the code server that started it, so they are looked for among all processes.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            children = [command_of(child) for child in process.children()] if is_of(stack, process) else []
            if "spawn_main" in command_of(process) and any("imagomortis.sandbox.child" in child for child in children):
                found.append(process)
    return found


def children_of(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The children of those processes that are still there."""
    found: list[psutil.Process] = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found += process.children()
    return found


def log_after(stack: Stack, offset: int) -> str:
    """What the system wrote after so many bytes of its log."""
    return stack.log.read_bytes()[offset:].decode(errors="replace")


def test_a_stop_in_the_middle_costs_no_picture_an_attempt(stack: Stack) -> None:
    before = stack.log.stat().st_size
    large = photo(3000, 2000, seed=1)
    acknowledged = {stack.upload(large): large for _ in range(8)}
    wait_until(lambda: '"processed"' in log_after(stack, before), 300, stack.tail)
    stack.stop()
    stopped = datetime.now(UTC)
    stack.start()
    with stack.catalog() as catalog, catalog.database.connection() as connection:
        of_before = connection.execute("SELECT id FROM workers WHERE requested_at < %s AND gone_at IS NULL", [stopped])
        assert of_before.fetchall() == [], "nobody waits for the workers of before"
    assert_nothing_lost(stack, acknowledged)
    with stack.catalog() as catalog:
        attempts = [attempt for image_id in acknowledged for attempt in catalog.images.attempts(image_id)]
    assert {attempt.outcome for attempt in attempts} == {Outcome.DONE}


def test_everything_may_be_killed_at_once(stack: Stack, pictures: list[bytes]) -> None:
    acknowledged: dict[UUID, bytes] = {}

    def cut_the_power() -> None:
        wait_until(lambda: len(acknowledged) > 20)
        stack.kill()

    with ThreadPoolExecutor(1) as threads:
        cut = threads.submit(cut_the_power)
        with suppress(httpx.HTTPError):  # the power cut
            for number in range(10_000):
                data = pictures[number % len(pictures)]
                acknowledged[stack.upload(data)] = data
        cut.result()
    assert len(acknowledged) < 10_000
    stack.start()
    assert_nothing_lost(stack, acknowledged)
    stack.stop()
    assert not [found for found in psutil.process_iter() if is_of(stack, found)]


def command_of(process: psutil.Process) -> str:
    """The command line of a process; a killed one that nobody has asked after has none."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""


def is_of(stack: Stack, process: psutil.Process) -> bool:
    """Whether a process belongs to the system of that folder."""
    try:
        return process.environ().get("IMAGOMORTIS_HOME") == str(stack.home)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
