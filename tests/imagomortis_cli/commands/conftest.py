"""A whole system but for Dagster: front door, uploader, API, pusher and worker, each the real one, in threads."""

from __future__ import annotations

import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvicorn
from starlette.responses import Response

import api_service.app
import upload_service.app
from imagomortis.catalog import Catalog
from imagomortis.picture.header import Limits
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis.spool.upload import hour_of
from imagomortis.work.ingest import ingest
from imagomortis.work.worker import Terms, Worker
from imagomortis_cli import main
from imagomortis_cli.machine.front_door import app
from imagomortis_http.serve import Server
from tests.conftest import new_database
from tests.support import web
from tests.support.uploads import NOON
from tests.support.waiting import wait_until

TOKEN = "a-token-of-the-tests-long-enough"


class Faults:
    """Stands in the front door: answers chosen requests itself, as a system in trouble does."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.next: deque[tuple[str, Response]] = deque()
        self.always: dict[str, Response] = {}
        self.asked_for = set[str]()
        """The paths of all requests."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.asked_for.add(scope["path"])
            if self.next and scope["path"] == self.next[0][0]:
                await self.next.popleft()[1](scope, receive, send)
                return
            if scope["path"] in self.always:
                await self.always[scope["path"]](scope, receive, send)
                return
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class System:
    """Where the system is, and what is behind it."""

    origin: str
    catalog: Catalog
    spool: Spool
    idle: threading.Lock
    """While it is held, nothing is processed."""
    faults: Faults


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def system(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of the module's own, without a token."""
    with new_database(postgres, template) as database, started(database, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def run(system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `imagomortis` with words on the system."""
    monkeypatch.setenv("IMAGOMORTIS_URL", system.origin)
    monkeypatch.delenv("IMAGOMORTIS_TOKEN", raising=False)
    return lambda *words: call(monkeypatch, capsys, *words)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts for people are not cut to the width of a terminal that is not there."""
    monkeypatch.setenv("COLUMNS", "400")


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> Result:
    """Run `imagomortis` in this process; return its exit code, and what it wrote."""
    monkeypatch.setattr(sys, "argv", ["imagomortis", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    out, err = capsys.readouterr()
    return Result(int(ended.value.code or 0), out, err)


@contextmanager
def started(database: str, home: Path, **given: Any) -> Iterator[System]:
    """Run a system on a database; ``given`` are further settings."""
    with ExitStack() as block:
        door, api, upload = (block.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3))
        settings = Settings(
            home=home,
            web_port=door.getsockname()[1],
            api_port=api.getsockname()[1],
            upload_port=upload.getsockname()[1],
            disk_reserve_bytes=0,
            **given,
        )
        catalog = block.enter_context(Catalog(database))
        api_app = api_service.app.create_app(settings, database)
        block.enter_context(_serving(upload_service.app.create_app(settings), upload))
        faults = Faults(app.create_app(settings, None))
        block.enter_context(_serving(faults, door))
        block.enter_context(_serving(api_app, api, api_app.state.service.feed.dismiss))
        spool, idle = Spool(settings.spool_folder), threading.Lock()
        block.enter_context(_repeating(lambda: any(spool.scan(1)) and ingest(spool, catalog)))
        sandbox = block.enter_context(Sandbox(Limits(), settings.sandbox_memory_bytes, 60))
        block.enter_context(_repeating(lambda: _process(catalog, sandbox, idle)))
        origin = f"http://127.0.0.1:{settings.web_port}"
        wait_until(lambda: web.get(f"{origin}/api/readyz").status_code == 200)
        yield System(origin, catalog, spool, idle, faults)


def _process(catalog: Catalog, sandbox: Sandbox, idle: threading.Lock) -> None:
    with idle:
        if catalog.queue.depth().queued:  # a worker that finds nothing costs some twenty statements
            Worker(catalog, sandbox, uuid4(), "run-of-the-tests", Terms(linger_seconds=0)).drain(hour_of(NOON))


@contextmanager
def _serving(app: Any, listener: socket.socket, on_stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = Server(config, on_stop)
    thread = threading.Thread(target=server.run, args=[[listener]])
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _repeating(job: Callable[[], object]) -> Iterator[None]:
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(0.02):
            job()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
