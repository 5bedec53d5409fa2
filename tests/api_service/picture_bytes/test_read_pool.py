"""Threads for short reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from api_service.picture_bytes.read_pool import ReadPool


@pytest.fixture
def read_pool() -> Iterator[ReadPool]:
    read_pool = ReadPool(2)
    yield read_pool
    read_pool.close()


def thread_name() -> str:
    return threading.current_thread().name


def test_a_call_gets_its_result_from_a_thread_of_the_pool(read_pool: ReadPool) -> None:
    assert asyncio.run(read_pool.run(divmod, 7, 2)) == (3, 1)
    assert asyncio.run(read_pool.run(thread_name)).startswith("read_pool-")


def test_a_call_raises_what_its_function_raises(read_pool: ReadPool) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(read_pool.run(divmod, 1, 0))
    assert asyncio.run(read_pool.run(divmod, 1, 1)) == (1, 0)


def test_a_read_does_not_wait_for_busy_threads(read_pool: ReadPool) -> None:
    over = threading.Event()

    async def crowd() -> list[str]:
        busy = [asyncio.create_task(read_pool.run(over.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        others = [await read_pool.run(thread_name) for _ in range(3)]
        over.set()
        assert await asyncio.gather(*busy) == [True, True]
        return others

    assert not any(name.startswith("read_pool-") for name in asyncio.run(crowd()))


def test_closing_ends_the_threads() -> None:
    read_pool = ReadPool(2)
    thread = asyncio.run(read_pool.run(threading.current_thread))
    assert thread.is_alive()
    read_pool.close()
    assert not thread.is_alive()
