"""Dagster's webserver does nothing for web pages of other sites, and everything as before for its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from imagomortis.settings import Settings
from imagomortis_pipeline.webserver_guard import WebserverGuard

OWN = "http://localhost:3000"
EVIL = "http://evil.example"
SOCKET = "ws://localhost:3000/graphql"
CHANGE = "mutation { setNuxSeen }"
BY_PAGES = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
BY_LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(autouse=True)
def _own_resources() -> None:
    """Nothing of the pipeline is used here, and so none of its tests' databases."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ASGIApp]:
    """Dagster's own application, on an instance without anything, behind the guard."""
    folder = str(tmp_path_factory.mktemp("dagster"))
    with (
        DagsterInstance.local_temp(folder) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        hosts = Settings(allowed_hosts="dagster.example").hosts
        yield WebserverGuard(create_app_from_workspace_process_context(context), hosts)


@pytest.fixture
def is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Tell whether the mutation was executed, which notes in a file that somebody has seen the welcome."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return (tmp_path / ".nux").exists


@pytest.fixture
def client(app: ASGIApp) -> TestClient:
    return TestClient(app, OWN)


@pytest.mark.parametrize("headers", [{}, {"Origin": OWN}, {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}])
def test_its_own_page_and_programs_may_change_things(
    client: TestClient, is_changed: Callable[[], bool], headers: dict[str, str]
) -> None:
    answer = client.post("/graphql", json={"query": CHANGE}, headers=headers)
    assert answer.json() == {"data": {"setNuxSeen": True}}
    assert is_changed()


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "http://localhost:3001", "https://localhost:3000", "http://localhost"]
)
def test_a_page_elsewhere_changes_nothing(client: TestClient, is_changed: Callable[[], bool], origin: str) -> None:
    answer = client.post("/graphql", json={"query": CHANGE}, headers={"Origin": origin})
    assert (answer.status_code, answer.headers["content-type"], is_changed()) == (
        403,
        "application/problem+json",
        False,
    )


@pytest.mark.parametrize("headers", [{}, BY_LINK, {"Accept": "text/html"}, {"Accept": "*/*"}])
def test_a_query_in_the_address_is_not_executed(
    client: TestClient, is_changed: Callable[[], bool], headers: dict[str, str]
) -> None:
    answer = client.get("/graphql", params={"query": CHANGE}, headers=headers)
    assert (answer.status_code, answer.headers["allow"], is_changed()) == (405, "POST", False)


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "text/plain", "text/plain; application/json", "multipart/form-data"],
)
def test_a_form_is_not_executed(client: TestClient, is_changed: Callable[[], bool], media_type: str) -> None:
    """Also without an Origin, which old browsers leave out."""
    body = f'{{"query": "{CHANGE}"}}'
    headers = {"Content-Type": media_type}
    answer = client.post("/graphql", params={"query": CHANGE}, content=body, headers=headers)
    assert (answer.status_code, is_changed()) == (415, False)


@pytest.mark.parametrize("path", ["/", "/graphql", "/logs/a.err", "/download_debug/1", "/favicon.png", "/runs"])
@pytest.mark.parametrize("headers", [BY_PAGES, {**BY_LINK, "Sec-Fetch-Dest": "iframe"}, {"Origin": EVIL}])
def test_nothing_is_shown_within_a_page_elsewhere(client: TestClient, path: str, headers: dict[str, str]) -> None:
    assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/report_asset_materialization/a", "/report_asset_observation/a"])
def test_a_page_elsewhere_reports_no_asset(client: TestClient, path: str) -> None:
    assert client.post(path, headers={"Origin": EVIL}).status_code == 403
    assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("host", ["rebind.evil", "localhost.evil.example:3000", "10.0.0.7:3000", ""])
@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info/"])
def test_a_name_that_is_not_ours_is_not_answered(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host, "Accept": "text/html"})
    assert answer.status_code == 403
    assert "IMAGOMORTIS_ALLOWED_HOSTS" in answer.text


def test_probes_come_by_any_name(client: TestClient) -> None:
    answer = client.get("/server_info", headers={"Host": "10.0.0.7:3000"})
    assert (answer.status_code, "dagster_version" in answer.json()) == (200, True)


@pytest.mark.parametrize("path", ["/", "/runs/42", "/graphql"])
def test_links_from_elsewhere_lead_to_its_pages(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={**BY_LINK, "Accept": "text/html"})
    assert answer.status_code == 200
    assert "<html" in answer.text


def test_an_allowed_name_works(app: ASGIApp, is_changed: Callable[[], bool]) -> None:
    client = TestClient(app, "https://dagster.example")
    answer = client.post("/graphql", json={"query": CHANGE}, headers={"Origin": "https://dagster.example"})
    assert (answer.status_code, is_changed()) == (200, True)


@pytest.mark.parametrize("headers", [{}, {"Origin": OWN}])
def test_its_subscriptions_work(client: TestClient, headers: dict[str, str]) -> None:
    with client.websocket_connect(SOCKET, ["graphql-ws"], headers=headers) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}


@pytest.mark.parametrize(
    "headers", [{"Origin": EVIL}, {"Origin": "null"}, {"Origin": "http://localhost:3001"}, {"Host": "rebind.evil"}]
)
def test_a_websocket_of_a_page_elsewhere_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(SOCKET, ["graphql-ws"], headers=headers),
    ):
        pass
    assert refused.value.code == 1008
