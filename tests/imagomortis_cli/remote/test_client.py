"""The client: what it says when there is no server, a foreign one, one that wants a token, or one that breaks off."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_cli.machine import home
from imagomortis_cli.remote import client as clients
from imagomortis_cli.remote.client import Client, ConnectionLost, ForeignServer, ServerProblem
from tests.imagomortis_cli.commands.conftest import TOKEN, call, started


def test_no_server_is_told_with_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("IMAGOMORTIS_URL", f"http://127.0.0.1:{port}")
    (tmp_path / "picture.jpg").write_bytes(b"bytes")
    for words in (["status"], ["list"], ["upload", tmp_path], ["delete", "--all", "--yes"]):
        result = call(monkeypatch, capsys, *words)
        assert result.code == 1
        assert f"Nothing answers at http://127.0.0.1:{port} (Connection refused)." in result.err
        assert "`imagomortis up`" in result.err


@pytest.mark.parametrize(
    "url",
    [
        "localhost:30080",
        "ftp://localhost",
        "http://",
        "http://localhost:port",
        "http://xn--:80",
        f"http://{'a' * 64}.example",
        "http://pictures..example",
    ],
)
def test_a_setting_that_is_no_address_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"IMAGOMORTIS_URL=.* for example IMAGOMORTIS_URL=http://"):
        Client(url)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [(200, "text/html", b"<html>Hello</html>"), (404, "text/html", b"<html>Not here</html>"), (500, "", b"")],
)
def test_a_foreign_server_is_recognized(status: int, content_type: str, body: bytes) -> None:
    with answering(status, content_type, body) as origin, Client(origin) as client:
        for action in _actions(client):
            with pytest.raises(ForeignServer, match="is no ImagoMortis"):
                action()


@pytest.mark.parametrize(
    ("title", "detail", "said"),
    [
        ("Not found", "There is no image 7.", "Not found: There is no image 7."),
        ("The recipe is not valid", "The recipe is not valid. Step 1: no.", "The recipe is not valid. Step 1: no."),
        ("", "Try again.", "Try again."),
    ],
)
def test_nothing_is_said_twice(title: str, detail: str, said: str) -> None:
    assert ServerProblem({"title": title, "detail": detail, "status": 422}).detail == said


def test_a_proxy_without_the_system_behind_it_is_recognized() -> None:
    with answering(502, "text/html", b"<html>Bad gateway</html>") as origin, Client(origin) as client:
        with pytest.raises(ServerProblem, match="not the part behind it") as raised:
            client.stats()
        assert raised.value.code == 502


def test_a_problem_document_is_told_by_title_and_detail_without_control_characters() -> None:
    problem = {"title": "No\x1b[31m", "detail": "Because\r\nof \x07this.", "retry_after": 7}
    with (
        answering(503, "application/problem+json", json.dumps(problem).encode()) as origin,
        Client(origin) as client,
        pytest.raises(ServerProblem) as raised,
    ):
        client.stats()
    assert raised.value.detail == "No: Because of this."
    assert (raised.value.code, raised.value.retry_after) == (503, 7)


def test_a_server_that_falls_silent_is_a_lost_connection() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Client(f"http://127.0.0.1:{silent.getsockname()[1]}", silence=0.2) as client,
        pytest.raises(ConnectionLost, match="broke"),
    ):
        client.stats()


def test_an_answer_that_breaks_off_is_a_lost_connection() -> None:
    with (
        answering(200, "image/jpeg", b"half", announced=8) as origin,
        Client(origin) as client,
        pytest.raises(ConnectionLost),
        client.stream("GET", "images/x") as response,
    ):
        list(response.iter_bytes())


def test_a_token_is_asked_for_and_used(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with started(database, tmp_path, token=TOKEN, access="token") as system:
        monkeypatch.setenv("IMAGOMORTIS_URL", system.origin)
        (tmp_path / "picture.jpg").write_bytes(b"bytes")
        for wrong in (None, "not-the-right-token"):
            if wrong:
                monkeypatch.setenv("IMAGOMORTIS_TOKEN", wrong)
            for words in (["status"], ["upload", tmp_path / "picture.jpg"]):
                result = call(monkeypatch, capsys, *words)
                assert result.code == 1
                assert result.err.startswith(("Error: An access token is needed: ", "uploading"))
                assert "set IMAGOMORTIS_TOKEN" in result.err
        monkeypatch.setenv("IMAGOMORTIS_TOKEN", TOKEN)
        assert call(monkeypatch, capsys, "status").code == 0


def test_the_address_is_the_set_one_then_that_of_the_running_system_then_the_default(tmp_path: Path) -> None:
    assert clients.address(Settings(home=tmp_path, web_port=31_000)) == "http://127.0.0.1:31000"
    assert clients.address(Settings(home=tmp_path, web_port=31_000, bind="::")) == "http://[::1]:31000"
    with home.hold(tmp_path) as holder:
        assert clients.address(Settings(home=tmp_path)) == "http://127.0.0.1:30080"
        home.tell(holder, {"page": "http://localhost:32000", "api": "http://localhost:32001"})
        assert clients.address(Settings(home=tmp_path)) == "http://localhost:32000"
        assert clients.address(Settings(home=tmp_path, url="http://elsewhere")) == "http://elsewhere"
    assert clients.address(Settings(home=tmp_path)) == "http://127.0.0.1:30080"


def _actions(client: Client) -> list[Callable[[], object]]:
    def follow() -> None:
        with client.events(None, 5) as events:
            list(events)

    return [client.stats, lambda: list(client.images()), lambda: client.post("pause"), follow]


@contextmanager
def answering(status: int, content_type: str, body: bytes, announced: int | None = None) -> Iterator[str]:
    """A server that gives the same answer to everything; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            if content_type:
                self.send_header("content-type", content_type)
            self.send_header("content-length", str(announced or len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that its class looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
