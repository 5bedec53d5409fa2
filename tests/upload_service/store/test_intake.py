"""The way into the spool: in order, bounded, and cleared up whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagomortis.errors import RefusedPicture, Unavailable, UnsupportedPicture
from imagomortis.picture.header import Header, Limits
from imagomortis.sandbox.sandbox import Sandbox, SandboxPool
from imagomortis.spool.spool import Spool
from tests.support.pictures import photo
from tests.upload_service.uploader import Contents
from upload_service.store import intake as intake_module
from upload_service.store.intake import CHECKERS, MOST_OF_ONE, Intake

pytestmark = pytest.mark.anyio

CLIENT = "192.0.2.1"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    intake = Intake(spool, SandboxPool(CHECKERS, Limits(), 2**30, 3600))
    yield intake
    await intake.close()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.jpg" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(photo(640, 480, number % 2))
    return paths


async def test_pictures_are_checked_in_the_order_in_which_they_come(
    tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "CHECKERS", 1)
    intake = Intake(Spool(tmp_path), SandboxPool(1, Limits(), 2**30, 60))
    done: list[int] = []

    async def check(number: int) -> None:
        await intake.check(pictures[number], CLIENT)
        done.append(number)

    await asyncio.gather(*(check(number) for number in range(len(pictures))))
    await intake.close()

    assert done == list(range(len(pictures)))


async def test_no_more_pictures_wait_than_allowed(
    intake: Intake, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 3)

    ends = await asyncio.gather(*(intake.check(path, CLIENT) for path in pictures), return_exceptions=True)

    assert [isinstance(end, Unavailable) for end in ends] == [False] * 3 + [True] * 5
    assert (await intake.check(pictures[0], CLIENT)).width == 640


async def test_a_bad_picture_is_no_fault_of_the_decoder(intake: Intake, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Dear diary")

    with pytest.raises(UnsupportedPicture):
        await intake.check(tmp_path / "a.txt", CLIENT)
    assert intake.checked_within(60) is False


Occupy = Callable[[Intake, list[Path]], Awaitable[tuple[list[psutil.Process], list[asyncio.Task[Header]]]]]


@pytest.fixture
def occupy(monkeypatch: pytest.MonkeyPatch) -> Occupy:
    """Lets a client's pictures hold up all checkers that it may have; returns these and the checks."""
    begun = threading.Semaphore(0)
    begin = Sandbox._converse

    def begin_visibly(*arguments: Any, **named: Any) -> Any:
        begun.release()
        return begin(*arguments, **named)

    async def hold(intake: Intake, paths: list[Path]) -> tuple[list[psutil.Process], list[asyncio.Task[Header]]]:
        others = {child.pid for child in psutil.Process().children()}
        await intake.warm()
        checkers = [child for child in psutil.Process().children() if child.pid not in others]
        assert len(checkers) == MOST_OF_ONE
        for checker in checkers:
            checker.suspend()
        checks = [asyncio.create_task(intake.check(path, CLIENT)) for path in paths]
        for _ in checkers:
            assert await asyncio.to_thread(begun.acquire, timeout=60)
        return checkers, checks

    monkeypatch.setattr(Sandbox, "_converse", begin_visibly)
    return hold


async def test_a_client_that_leaves_during_a_check_frees_the_checker_at_once(
    intake: Intake, pictures: list[Path], occupy: Occupy
) -> None:
    stopped, checks = await occupy(intake, pictures[:MOST_OF_ONE])

    for check in checks:
        check.cancel()

    await asyncio.wait(checks, timeout=60)  # a check may take an hour here
    assert all(check.cancelled() for check in checks)
    assert not any(checker.is_running() for checker in stopped)
    assert (await intake.check(pictures[0], CLIENT)).width == 640


async def test_a_client_whose_pictures_hold_up_checkers_does_not_hold_up_others(
    intake: Intake, pictures: list[Path], occupy: Occupy
) -> None:
    stopped, slow = await occupy(intake, pictures[:6])

    try:
        assert (await intake.check(pictures[6], "192.0.2.2")).width == 640
        assert not any(check.done() for check in slow)
    finally:
        for checker in stopped:
            checker.resume()
    assert [header.width for header in await asyncio.gather(*slow)] == [640] * 6


async def test_a_picture_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    intake = Intake(Spool(tmp_path), SandboxPool(CHECKERS, Limits(), 2**30, 0.05))
    (tmp_path / "a.jpg").write_bytes(photo(8000, 6000))

    with pytest.raises(RefusedPicture):
        await intake.check(tmp_path / "a.jpg", CLIENT)
    await intake.close()


async def test_a_draft_is_cleared_away_even_if_it_is_cancelled_while_it_writes(intake: Intake) -> None:
    contents, writing, go = Contents(intake.spool), threading.Event(), threading.Event()

    async def write() -> None:
        async with intake.draft() as file:

            def append_slowly() -> None:
                file.append([b"some bytes"])
                writing.set()
                go.wait(60)
                file.append([b"more bytes"])

            await intake.run(append_slowly)

    task = asyncio.create_task(write())
    await asyncio.to_thread(writing.wait)
    assert len(contents.begun) == 1
    task.cancel()
    await asyncio.sleep(0)
    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert contents.begun == []


async def test_closing_waits_for_drafts_that_are_cleared_away(intake: Intake) -> None:
    held, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with intake.draft() as file:
            await intake.run(lambda: file.append([b"some bytes"]))
            held.set()
            await leave.wait()

    task = asyncio.create_task(hold())
    await held.wait()
    assert len(Contents(intake.spool).begun) == 1

    closing = asyncio.create_task(intake.close(60))
    await asyncio.sleep(0)
    leave.set()
    await closing

    assert Contents(intake.spool).begun == []
    await task
