"""Bodies that are too large: refused early, in words that reach the client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api_service.app import MOST_BODY_BYTES


def chunks(count: int) -> Iterator[bytes]:
    """Many bytes, of a length that nobody is told before."""
    for _ in range(count):
        yield b" " * 65_536


@pytest.mark.parametrize("length", ["told", "not told"])
def test_a_body_that_is_too_large_is_refused_while_it_still_comes(server: str, length: str) -> None:
    headers = {"Content-Type": "application/json"}
    if length == "told":
        headers["Content-Length"] = str(400 * 65_536)
    answer = httpx.post(f"{server}/images/delete", content=chunks(400), headers=headers, timeout=30)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"{MOST_BODY_BYTES:,} bytes" in answer.json()["detail"]


def test_the_largest_body_that_makes_sense_is_read(server: str) -> None:
    body = b'{"ids": []}'.ljust(MOST_BODY_BYTES)
    answer = httpx.post(f"{server}/images/delete", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code != 413
