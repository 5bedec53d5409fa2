"""Bodies that are too large: refused early, in words that reach the client."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service.app import MOST_BODY_BYTES
from imagomortis_http.limits.body_size import SIGN_IN_BYTES, BodyLimitMiddleware
from tests.support import web


def chunks(count: int) -> Iterator[bytes]:
    """Many bytes, of a length that nobody is told before."""
    for _ in range(count):
        yield b" " * 65_536


@pytest.mark.parametrize("length", ["told", "not told"])
def test_a_body_that_is_too_large_is_refused_while_it_still_comes(server: str, length: str) -> None:
    headers = {"Content-Type": "application/json"}
    if length == "told":
        headers["Content-Length"] = str(400 * 65_536)
    answer = web.post(f"{server}/images/delete", content=chunks(400), headers=headers, timeout=30)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"{MOST_BODY_BYTES:,} bytes" in answer.json()["detail"]


def test_the_largest_body_that_makes_sense_is_read(server: str) -> None:
    body = b'{"ids": []}'.ljust(MOST_BODY_BYTES)
    answer = web.post(f"{server}/images/delete", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code != 413


@pytest.mark.parametrize("path", ["/session", "/api/session"])
def test_little_may_come_from_who_has_not_shown_a_token(client: TestClient, path: str) -> None:
    body = b'{"token": "a-token-that-is-long-enough"}'
    headers = {"Content-Type": "application/json"}

    assert client.post(path, content=body.ljust(SIGN_IN_BYTES), headers=headers).status_code == 200
    answer = client.post(path, content=body.ljust(SIGN_IN_BYTES + 1), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:imagomortis:request-too-large")


# --- without a network ------------------------------------------------------------------------------------------------

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/images/delete", "headers": []}


def sends(pieces: Iterable[bytes]) -> Receive:
    """A client that sends pieces, and then nothing."""
    left = iter(pieces)

    async def receive() -> Message:
        await asyncio.sleep(0)
        for piece in left:
            return {"type": "http.request", "body": piece, "more_body": True}
        await asyncio.sleep(10)
        raise AssertionError("The silent client is still waited for")

    return receive


def answers(app: ASGIApp, receive: Receive) -> Message:
    """Return how the answer to a request begins."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(SCOPE, receive, send))  # type: ignore[arg-type]
    return sent[0]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(await Request(scope, receive).body())(scope, receive, send)


def test_a_client_that_falls_silent_is_cut_off() -> None:
    limited = BodyLimitMiddleware(echo, 1000, idle_seconds=0.1)

    assert answers(limited, sends([b"some"]))["status"] == 408


@pytest.mark.slow
def test_bytes_that_come_one_by_one_take_no_more_memory_than_they_are() -> None:
    limited = BodyLimitMiddleware(echo, 50_000, idle_seconds=60)
    tracemalloc.start()
    try:
        assert answers(limited, sends(b"x" for _ in range(50_001)))["status"] == 413
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 50_000
