"""The system in the background: one that somebody else is starting is waited for, and no second one is started."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis_cli.machine import background, home
from imagomortis_cli.remote.client import ServerProblem


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", web_port=1)


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second system fails the test."""

    def start(_: Settings) -> background.Started:
        raise AssertionError("a system was started")

    monkeypatch.setattr(background, "_start", start)


@contextmanager
def answering(*statuses: int) -> Iterator[str]:
    """A front door that gives each of the statuses once, the last one for ever."""
    rest = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(rest.pop(0) if len(rest) > 1 else rest[0])
            self.end_headers()
            self.wfile.write(json.dumps({"title": "An answer"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_one_that_is_still_starting_is_waited_for(settings: Settings) -> None:
    noted: list[str] = []
    with answering(200) as origin, home.hold(settings.home) as holder:

        def note(text: str) -> None:
            noted.append(text)
            home.tell(holder, {"page": origin})

        assert background.ensure(settings, note) is None
        assert home.is_held(settings.home)
    assert noted == ["The system is still starting ..."]


@pytest.mark.parametrize("status", [502, 503])
def test_a_part_that_is_away_is_waited_for(settings: Settings, status: int) -> None:
    with answering(status, status, 200) as origin, home.hold(settings.home) as holder:
        home.tell(holder, {"page": origin})
        assert background.ensure(settings, lambda _: None) is None


def test_another_answer_is_told_at_once(settings: Settings) -> None:
    with answering(401) as origin, home.hold(settings.home) as holder:
        home.tell(holder, {"page": origin})
        with pytest.raises(ServerProblem):
            background.ensure(settings, lambda _: None)


def test_one_that_runs_is_not_talked_about(settings: Settings) -> None:
    noted: list[str] = []
    with answering(200) as origin, home.hold(settings.home) as holder:
        home.tell(holder, {"page": origin})
        assert background.ensure(settings, noted.append) is None
    assert noted == []


def test_one_that_never_gets_ready_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "START_SECONDS", 0.3)
    with home.hold(settings.home), pytest.raises(Unavailable, match="did not get ready"):
        background.ensure(settings, lambda _: None)


def test_one_that_somebody_starts_at_the_same_time_is_waited_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(200) as origin, ExitStack() as block:

        def start(_: Settings) -> background.Started:
            home.tell(block.enter_context(home.hold(settings.home)), {"page": origin})
            return background.Started(subprocess.Popen(["false"]), tmp_path / "log")

        monkeypatch.setattr(background, "_start", start)
        assert background.ensure(settings, lambda _: None) is None


def test_a_home_that_was_held_for_something_else_is_used_afterwards(settings: Settings) -> None:
    with ThreadPoolExecutor(1) as threads:
        with home.hold(settings.home):
            ensuring = threads.submit(background.ensure, settings, lambda _: None)
            with pytest.raises(TimeoutError):
                ensuring.result(0.3)
        with pytest.raises(AssertionError, match="a system was started"):
            ensuring.result(60)
