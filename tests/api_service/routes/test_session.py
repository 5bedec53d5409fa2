"""Who may use the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_http.callers.session import COOKIE
from tests.api_service.conftest import TOKEN
from tests.support.waiting import wait_until


@pytest.fixture
def guarded(database: str) -> Iterator[TestClient]:
    """A client of an API that needs a token."""
    with TestClient(create_app(Settings(token=TOKEN), database), base_url="https://pictures.example") as client:
        yield client


@pytest.mark.parametrize("path", ["/images", "/api/images", "/stats", "/events", "/openapi.json", "/nowhere"])
def test_without_the_token_there_is_nothing(guarded: TestClient, path: str) -> None:
    answer = guarded.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert guarded.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_with_the_token_there_is_everything(guarded: TestClient) -> None:
    assert guarded.get("/images", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/healthz", "/api/readyz"])
def test_probes_need_no_token(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/session", "/api/session"])
def test_the_token_becomes_a_session_that_ends_again(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).json() == {"needs_token": True, "signed_in": False}
    answer = guarded.post(path, json={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/", "Secure"))
    assert TOKEN not in cookie
    assert guarded.get(path).json() == {"needs_token": True, "signed_in": True}
    assert guarded.get("/images").status_code == 200
    assert guarded.delete(path).json() == {"needs_token": True, "signed_in": False}
    assert guarded.get("/images").status_code == 401


def test_a_copy_of_the_cookie_is_worth_nothing_after_the_sign_out(guarded: TestClient, database: str) -> None:
    guarded.post("/session", json={"token": TOKEN})
    copy = {"Cookie": f"{COOKIE}={guarded.cookies[COOKIE]}"}
    with TestClient(create_app(Settings(token=TOKEN), database), base_url="https://pictures.example") as replica:
        assert replica.get("/images", headers=copy).status_code == 200
        guarded.delete("/session")
        assert guarded.get("/images", headers=copy).status_code == 401
        wait_until(lambda: replica.get("/images", headers=copy).status_code != 200)
        assert replica.get("/session", headers=copy).json() == {"needs_token": True, "signed_in": False}


def test_other_sessions_go_on_after_a_sign_out(guarded: TestClient) -> None:
    guarded.post("/session", json={"token": TOKEN})
    other = {"Cookie": f"{COOKIE}={guarded.cookies[COOKIE]}"}
    guarded.cookies.clear()
    guarded.post("/session", json={"token": TOKEN})
    guarded.delete("/session")
    assert guarded.get("/images", headers=other).status_code == 200


def test_a_session_ends_by_itself(database: str) -> None:
    settings = Settings(token=TOKEN, session_seconds=0.001)
    with TestClient(create_app(settings, database), base_url="https://pictures.example") as client:
        assert client.post("/session", json={"token": TOKEN}).status_code == 200
        assert client.get("/images").status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_guesses_at_the_sign_in_are_slowed_down(guarded: TestClient, method: str) -> None:
    def guess() -> int:
        if method == "POST":
            return guarded.post("/session", json={"token": "wrong"}).status_code
        return guarded.get("/session", headers={"Authorization": "Bearer wrong"}).status_code

    answers = [guess() for _ in range(20)]
    assert 429 not in answers[:3]
    assert 429 in answers
    # whichever way the guess is made; a wait may just have ended, but not two
    wrong = {"Authorization": "Bearer wrong"}
    assert 429 in [guarded.get("/images", headers=wrong).status_code for _ in range(3)]


def test_a_cookie_for_plain_http(database: str) -> None:
    with TestClient(create_app(Settings(token=TOKEN), database), base_url="http://pictures.example") as client:
        assert "Secure" not in client.post("/session", json={"token": TOKEN}).headers["set-cookie"]
        answer = client.post("/session", json={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_token_is_no_session(guarded: TestClient) -> None:
    answer = guarded.post("/session", json={"token": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_another_page_cannot_sign_in_or_out(guarded: TestClient) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    assert guarded.post("/session", json={"token": TOKEN}, headers=headers).status_code == 403
    assert guarded.delete("/session", headers=headers).status_code == 403


def test_open_access_by_a_known_name_only(database: str) -> None:
    with TestClient(create_app(Settings(), database), base_url="http://localhost") as client:
        assert client.get("/session").json() == {"needs_token": False, "signed_in": True}
        assert client.post("/session", json={"token": "any"}).json() == {"needs_token": False, "signed_in": True}
        assert client.get("/images").status_code == 200
        assert client.get("/images", headers={"Host": "elsewhere.example"}).status_code == 403
        assert client.delete("/all", headers={"Origin": "http://elsewhere.example"}).status_code == 403


def test_an_open_listener_for_others_goes_by_its_names_once_some_are_set(database: str) -> None:
    settings = Settings(bind="0.0.0.0", access="open", allowed_hosts="pictures.lan")
    with TestClient(create_app(settings, database), base_url="http://pictures.lan") as client:
        assert client.get("/images").status_code == 200
        assert client.get("/images", headers={"Host": "rebind.example"}).status_code == 403


def test_a_page_of_an_allowed_origin_uses_the_api(database: str) -> None:
    page = "http://localhost:30080"
    with TestClient(
        create_app(Settings(token=TOKEN, allowed_origins=page), database), "http://localhost:30081"
    ) as client:
        asked = {"Origin": page, "Access-Control-Request-Method": "DELETE"}
        assert client.options("/all", headers=asked).headers["access-control-allow-origin"] == page
        refused = client.get("/images", headers={"Origin": page})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, page)
        with_token = {"Origin": page, "Authorization": f"Bearer {TOKEN}"}
        assert client.delete("/all", headers=with_token).status_code == 204
        answer = client.get("/images", headers=with_token)
        assert answer.headers["access-control-allow-origin"] == page
        assert answer.headers.get_list("cross-origin-resource-policy") == ["same-site"]
        stranger = client.options("/all", headers={**asked, "Origin": "http://localhost:30082"})
        assert (stranger.status_code, "access-control-allow-origin" in stranger.headers) == (401, False)


def test_a_listener_for_others_needs_a_token(database: str) -> None:
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_TOKEN"):
        create_app(Settings(bind="0.0.0.0"), database)
