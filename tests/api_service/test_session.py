"""Who may use the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from tests.api_service.conftest import TOKEN


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
def test_the_token_becomes_a_cookie_and_is_forgotten_again(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).json() == {"needs_token": True, "signed_in": False}
    answer = guarded.post(path, json={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/", "Secure"))
    assert guarded.get(path).json() == {"needs_token": True, "signed_in": True}
    assert guarded.get("/images").status_code == 200
    assert guarded.delete(path).json() == {"needs_token": True, "signed_in": False}
    assert guarded.get("/images").status_code == 401


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


def test_a_listener_for_others_needs_a_token(database: str) -> None:
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_TOKEN"):
        create_app(Settings(bind="0.0.0.0"), database)
