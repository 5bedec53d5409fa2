"""Threads for short reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from api_service.picture_bytes.read_pool import Lane


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane(2)
    yield lane
    lane.close()


def thread_name() -> str:
    return threading.current_thread().name


def test_a_call_gets_its_result_from_a_thread_of_the_lane(lane: Lane) -> None:
    assert asyncio.run(lane.run(divmod, 7, 2)) == (3, 1)
    assert asyncio.run(lane.run(thread_name)).startswith("lane-")


def test_a_call_raises_what_its_function_raises(lane: Lane) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lane.run(divmod, 1, 0))
    assert asyncio.run(lane.run(divmod, 1, 1)) == (1, 0)


def test_who_finds_every_thread_busy_does_not_wait_for_them(lane: Lane) -> None:
    over = threading.Event()

    async def crowd() -> list[str]:
        busy = [asyncio.create_task(lane.run(over.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        others = [await lane.run(thread_name) for _ in range(3)]
        over.set()
        assert await asyncio.gather(*busy) == [True, True]
        return others

    assert not any(name.startswith("lane-") for name in asyncio.run(crowd()))


def test_closing_ends_the_threads() -> None:
    lane = Lane(2)
    thread = asyncio.run(lane.run(threading.current_thread))
    assert thread.is_alive()
    lane.close()
    assert not thread.is_alive()
