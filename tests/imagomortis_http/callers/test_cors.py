"""Pages of other origins: those that are named may use a service, and the others may not."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imagomortis_http.callers.cors import CorsMiddleware

PAGE = "http://localhost:30080"

pytestmark = pytest.mark.anyio


async def _answer(_: Request) -> PlainTextResponse:
    return PlainTextResponse("here", headers={"Vary": "Accept-Encoding", "Cross-Origin-Resource-Policy": "same-origin"})


def _client(*origins: str) -> httpx.AsyncClient:
    inner = Starlette(routes=[Route("/{path:path}", _answer, methods=["GET", "POST", "OPTIONS"])])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(CorsMiddleware(inner, origins)), base_url="http://localhost:30081"
    )


async def _preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    headers = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "tus-resumable,x-mine"}
    return await client.options("/upload", headers={"Origin": origin, **headers})


def _shared(response: httpx.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control")}


async def test_an_allowed_page_may_read_the_answer() -> None:
    response = await _client("https://other.example", PAGE).get("/images", headers={"Origin": PAGE})

    assert response.text == "here"
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-allow-credentials"] == "true"
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"Location", "Upload-Offset", "Tus-Resumable", "Upload-Expires", "Link", "Retry-After"} <= set(exposed)


async def test_an_allowed_page_may_send_what_it_asks_for() -> None:
    response = await _preflight(_client(PAGE), PAGE)

    assert (response.status_code, response.text) == (204, "")
    assert "PATCH" in response.headers["access-control-allow-methods"].split(", ")
    assert response.headers["access-control-allow-headers"] == "tus-resumable,x-mine"
    assert response.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(
    "origin", ["http://localhost:30081", "https://localhost:30080", "http://localhost:30080.evil.example", "null", "*"]
)
async def test_nobody_else_may(origin: str) -> None:
    client = _client(PAGE)

    assert _shared(await client.get("/images", headers={"Origin": origin})) == set()
    preflight = await _preflight(client, origin)
    assert (preflight.text, _shared(preflight)) == ("here", set())


@pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}, {"Origin": "https://evil.example"}])
async def test_a_cache_keeps_the_answers_for_different_pages_apart(headers: dict[str, str]) -> None:
    response = await _client(PAGE).get("/images", headers=headers)

    assert response.headers["vary"] == "Accept-Encoding, Origin"
    assert response.headers["cross-origin-resource-policy"] == "same-site"


async def test_a_plain_question_for_options_reaches_the_service() -> None:
    response = await _client(PAGE).options("/upload", headers={"Origin": PAGE})

    assert response.text == "here"
    assert response.headers["access-control-allow-origin"] == PAGE


async def test_nothing_changes_without_allowed_origins() -> None:
    response = await _client().get("/images", headers={"Origin": PAGE})

    assert _shared(response) == set()
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
