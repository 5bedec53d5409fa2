"""Errors as problem documents: what a client gets to see of each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from imagomortis import errors
from imagomortis.errors import ImagoMortisError, NotFound, Unauthorized, Unavailable
from imagomortis_http.problems import MEDIA_TYPE, install, problem_response


def kinds(of: type[ImagoMortisError] = ImagoMortisError) -> Iterator[type[ImagoMortisError]]:
    yield of
    for kind in of.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from kinds(kind)


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    install(app, RequestValidationError)

    @app.get("/missing")
    async def missing() -> None:
        raise NotFound("There is no image 7. It may have been deleted.", image=7)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/limited")
    async def limited(limit: int) -> int:
        return limit

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_each_error_has_a_status_a_kind_a_title_and_its_text(kind: type[ImagoMortisError]) -> None:
    response = problem_response(kind("What is wrong, and what to do."))

    assert response.status_code == kind.status >= 400
    assert response.headers["content-type"] == MEDIA_TYPE
    assert json.loads(bytes(response.body)) == {
        "type": f"urn:imagomortis:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": "What is wrong, and what to do.",
    }


def test_each_kind_of_error_has_a_slug_of_its_own() -> None:
    slugs = [kind.slug for kind in kinds()]

    assert len(slugs) == len(set(slugs))


def test_the_answer_says_how_to_send_a_token() -> None:
    assert problem_response(Unauthorized("Send it.")).headers["www-authenticate"].startswith("Bearer")


def test_the_answer_says_when_to_try_again() -> None:
    assert problem_response(Unavailable("Later.", retry_after=30)).headers["retry-after"] == "30"
    assert "retry-after" not in problem_response(Unavailable("Later.")).headers


@pytest.mark.anyio
async def test_a_domain_error_is_answered_with_its_members(client: httpx.AsyncClient) -> None:
    response = await client.get("/missing")

    assert response.status_code == 404
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json()["image"] == 7


@pytest.mark.anyio
async def test_an_unknown_path_is_a_problem_too(client: httpx.AsyncClient) -> None:
    response = await client.get("/elsewhere")

    assert (response.status_code, response.headers["content-type"]) == (404, MEDIA_TYPE)
    assert response.json()["detail"] == "GET /elsewhere: not found."


@pytest.mark.anyio
async def test_a_wrong_method_is_told_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.delete("/missing")

    assert (response.status_code, response.headers["content-type"]) == (405, MEDIA_TYPE)
    assert response.headers["allow"] == "GET"


@pytest.mark.anyio
async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/limited", params={"limit": "many"})

    assert response.status_code == 422
    assert response.json()["type"] == "urn:imagomortis:invalid-request"
    assert response.json()["detail"].startswith("limit: ")


@pytest.mark.anyio
async def test_a_mistake_of_ours_says_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    response = await client.get("/broken")

    assert (response.status_code, response.headers["content-type"]) == (500, MEDIA_TYPE)
    assert "hunter2" not in response.text
