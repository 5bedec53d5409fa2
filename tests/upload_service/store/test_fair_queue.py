"""Fair turns: no client waits for all uploads of another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from fastapi import Request

from upload_service.admission import client_of
from upload_service.store.fair_queue import Turns

pytestmark = pytest.mark.anyio


class Crowd:
    """Clients that take turns and hold their places until they are told to leave."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.holding: list[str] = []
        self._leaving: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """Let clients come; a name is the client's and a number."""
        for name in names:
            self._leaving[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name))
            await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self._leaving[name].set()
            await settle()

    async def _hold(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.holding.append(name)
            try:
                await self._leaving[name].wait()
            finally:
                self.holding.remove(name)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def crowd() -> Callable[[int, int], Crowd]:
    return lambda places, most: Crowd(Turns(places, most))


async def test_one_client_never_has_all_places(crowd: Callable[[int, int], Crowd]) -> None:
    clients = crowd(3, 2)
    await clients.come("a1", "a2", "a3", "a4")
    assert clients.holding == ["a1", "a2"]
    await clients.come("b1")
    assert clients.holding == ["a1", "a2", "b1"]


async def test_clients_come_one_after_the_other_whatever_one_of_them_sends(
    crowd: Callable[[int, int], Crowd],
) -> None:
    clients = crowd(1, 1)
    await clients.come("a1", "a2", "a3", "b1", "c1", "b2")
    order = []
    for _ in range(6):
        order += clients.holding
        await clients.leave(*clients.holding)
    assert order == ["a1", "a2", "b1", "c1", "a3", "b2"]


async def test_a_client_that_leaves_the_queue_delays_nobody(crowd: Callable[[int, int], Crowd]) -> None:
    clients = crowd(1, 1)
    await clients.come("a1", "b1", "c1")
    clients.tasks["b1"].cancel()
    await clients.leave("a1")
    assert clients.holding == ["c1"]


async def test_a_client_that_leaves_at_its_turn_frees_the_place(crowd: Callable[[int, int], Crowd]) -> None:
    clients = crowd(1, 1)
    await clients.come("a1", "b1", "c1")
    clients.tasks["a1"].cancel()
    with suppress(asyncio.CancelledError):
        await clients.tasks["a1"]
    clients.tasks["b1"].cancel()
    await settle()
    assert clients.holding == ["c1"]
    await clients.leave("c1")
    await clients.come("d1")
    assert clients.holding == ["d1"]


def client(address: str) -> str:
    return client_of(Request({"type": "http", "client": (address, 4711)}))


def test_an_ipv6_client_is_one_client_by_all_its_addresses() -> None:
    assert client("2001:db8:1:2::7") == client("2001:db8:1:2:3:4:5:6")
    assert client("2001:db8:1:2::7") != client("2001:db8:1:3::7")
    assert client("192.0.2.7") != client("192.0.2.8")
