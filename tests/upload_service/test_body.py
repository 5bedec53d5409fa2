"""Bodies: counted while they come, and given up when a client is slow or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from imagomortis.errors import PictureTooLarge, RequestTimeout
from imagomortis_http.limits import body_deadline
from upload_service.body import FORM_BYTES, Body

pytestmark = pytest.mark.anyio

GONE: dict[str, Any] = {"type": "http.disconnect"}


def chunk(data: bytes, *, is_last: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": not is_last}


class Client:
    """Says what it is given to say, and then nothing more."""

    def __init__(self, messages: Iterable[dict[str, Any]], pause: float = 0.0) -> None:
        self.messages = list(messages)
        self.asked = 0
        self._pause = pause

    async def __call__(self) -> MutableMapping[str, Any]:
        self.asked += 1
        await asyncio.sleep(self._pause)
        if not self.messages:
            await asyncio.sleep(10)
            raise AssertionError("The silent client is still waited for")
        return self.messages.pop(0)

    def body(self, max_bytes: int = 1000, idle_seconds: float = 0.2, **headers: str) -> Body:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Body(Headers(named), self, max_bytes, idle_seconds)


async def whole(body: Body) -> bytes:
    return b"".join([each async for each in body.chunks()])


async def test_a_body_comes_as_it_was_sent() -> None:
    client = Client([chunk(b"one "), chunk(b""), chunk(b"two", is_last=True)])

    assert await whole(client.body()) == b"one two"
    assert client.asked == 3


async def test_the_remaining_bytes_are_known_from_the_content_length() -> None:
    body = Client([chunk(b"1234"), chunk(b"5678", is_last=True)]).body(content_length="8")

    assert [(len(each), body.remaining) async for each in body.chunks()] == [(4, 4), (4, 0)]


async def test_an_announced_body_that_is_too_large_is_not_read() -> None:
    client = Client([chunk(b"x", is_last=True)])

    with pytest.raises(PictureTooLarge):
        await whole(client.body(content_length=str(1000 + FORM_BYTES + 1)))
    assert client.asked == 0


async def test_reading_stops_when_a_body_becomes_too_large() -> None:
    client = Client([chunk(bytes(FORM_BYTES)), chunk(bytes(1000)), chunk(b"x"), chunk(b"x")])

    with pytest.raises(PictureTooLarge):
        await whole(client.body())
    assert client.asked == 3


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    size = 1000 + FORM_BYTES
    client = Client([chunk(bytes(size), is_last=True)])

    assert len(await whole(client.body(content_length=str(size)))) == size


async def test_a_client_that_falls_silent_is_given_up() -> None:
    with pytest.raises(RequestTimeout, match=r"0\.2 seconds"):
        await whole(Client([chunk(b"one")]).body())


async def test_a_client_that_is_slow_but_not_silent_is_waited_for() -> None:
    messages = [chunk(b"x" * 1000)] * 30 + [chunk(b"x", is_last=True)]

    assert await whole(Client(messages, pause=0.1).body(max_bytes=100_000, idle_seconds=2)) == b"x" * 30_001


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a client be slow for no longer than it may be silent."""
    monkeypatch.setattr(body_deadline, "PATIENCE", 1)


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_only_drips_is_given_up() -> None:
    drops = Client([chunk(b"x")] * 200, pause=0.05)

    with pytest.raises(RequestTimeout, match="Hardly anything came for 1 seconds"):
        await whole(drops.body(idle_seconds=1))
    assert 1 < drops.asked < 30


@pytest.mark.usefixtures("hasty")
async def test_a_slow_client_is_waited_for_as_long_as_it_keeps_a_pace() -> None:
    messages = [chunk(bytes(1000))] * 30 + [chunk(b"x", is_last=True)]

    assert len(await whole(Client(messages, pause=0.1).body(max_bytes=100_000, idle_seconds=2))) == 30_001


@pytest.mark.usefixtures("hasty")
async def test_earlier_fast_bytes_do_not_excuse_slow_ones() -> None:
    drops = Client([chunk(bytes(200_000)), *[chunk(b"x")] * 200], pause=0.05)

    with pytest.raises(RequestTimeout, match="Hardly anything"):
        await whole(drops.body(max_bytes=10**6, idle_seconds=1))
    assert drops.asked < 30


async def test_a_client_that_leaves_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await whole(Client([chunk(b"one"), GONE]).body())


async def test_work_ends_when_the_client_leaves() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(ClientDisconnect):
        await Client([GONE], pause=0.05).body().unless_gone(work())
    assert cancelled.is_set()


async def test_work_is_done_while_the_client_waits() -> None:
    async def work() -> int:
        await asyncio.sleep(0.05)
        return 42

    assert await Client([]).body().unless_gone(work()) == 42


async def test_the_error_of_work_is_passed_on() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Client([]).body().unless_gone(work())
