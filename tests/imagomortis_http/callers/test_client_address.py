"""Who the client is behind reverse proxies."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from imagomortis_http.callers.client_address import ClientAddressMiddleware, client_address

PROXY = "10.0.0.1"
HEADER = "X-Forwarded-For"

pytestmark = pytest.mark.anyio


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(client_address(Request(scope).scope))(scope, receive, send)


async def _client_of(*values: str, header: str = HEADER, proxies: int = 1) -> str:
    app = ClientAddressMiddleware(_answer, header, proxies)
    transport = httpx.ASGITransport(app, client=(PROXY, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get("/", headers=[(HEADER, value) for value in values])).text


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("anything,192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:5678", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:DB8::7]:5678", "2001:db8::7"),
    ],
)
async def test_the_last_proxy_says_who_it_was_asked_by(value: str, address: str) -> None:
    assert await _client_of(value) == address


async def test_each_proxy_adds_an_address() -> None:
    assert await _client_of("203.0.113.9, 192.0.2.7, 10.0.0.2", proxies=2) == "192.0.2.7"
    assert await _client_of("203.0.113.9", "192.0.2.7", "10.0.0.2", proxies=2) == "192.0.2.7"


@pytest.mark.parametrize("value", ["", "unknown", "192.0.2", "<script>", "192.0.2.7,"])
async def test_a_malformed_address_is_ignored(value: str) -> None:
    assert await _client_of(value) == PROXY


async def test_a_request_that_came_past_the_proxies_is_whose_connection_it_is() -> None:
    assert await _client_of() == PROXY
    assert await _client_of("192.0.2.7", proxies=2) == PROXY


async def test_no_header_is_believed_unless_it_is_named() -> None:
    assert await _client_of("192.0.2.7", header="") == PROXY
    assert await _client_of("192.0.2.7", header="X-Real-IP") == PROXY
