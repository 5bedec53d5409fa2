"""The API on a database of the test's own: in the process, or behind a real socket where streams matter."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Result
from imagomortis.sandbox.sandbox import Rendition
from imagomortis.settings import Settings
from imagomortis_http.serve import Server
from tests.support import web
from tests.support.uploads import NOON, upload
from tests.support.waiting import wait_until

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    with api(database) as found:
        yield found


def api(database: str) -> TestClient:
    """An API in the process; it runs for the length of a block."""
    return TestClient(create_app(Settings(), database), base_url="http://localhost")


@pytest.fixture
def server(database: str) -> Iterator[str]:
    """Address of the API behind a socket."""
    with serving(Settings(), database) as address:
        yield address


@contextmanager
def serving(settings: Settings, database: str) -> Iterator[str]:
    """Serve the API on a free port, as the program does."""
    app = create_app(settings, database)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = Server(config, app.state.service.feed.dismiss)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        _await_events(f"http://127.0.0.1:{port}")
        wait_until(lambda: not app.state.service.feed.watchers)  # the server has noticed that this client left
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def _await_events(address: str) -> None:
    """Wait until the feed has seen the database."""

    def is_open() -> bool:
        with web.stream("GET", f"{address}/events") as answer:
            return answer.status_code != 503

    wait_until(is_open)


def add(catalog: Catalog, data: bytes = b"original", created_at: datetime = NOON, **fields: object) -> UUID:
    """Add a queued image."""
    [image_id] = catalog.queue.add([(upload(data, created_at, **fields), data)])
    return image_id


def rendition(kind: str, data: bytes, media_type: str = "image/jpeg", size: tuple[int, int] = (4, 3)) -> Rendition:
    return Rendition(kind, media_type, *size, data, b"\1\2\3" if kind == "thumbnail" else b"")


def process(
    catalog: Catalog,
    processed: bytes = b"processed",
    thumbnail: bytes = b"thumbnail",
    media_type: str = "image/jpeg",
    others: Sequence[Rendition] = (),
) -> list[UUID]:
    """Process everything that is queued; ``others`` are further outputs."""
    lease = catalog.queue.lease("run-1", 1000, 15)
    if lease is None:
        return []
    made = (
        rendition("processed", processed, media_type),
        *others,
        rendition("thumbnail", thumbnail, "image/webp"),
    )
    results = [Result(image, made, 0.002) for image in lease.images]
    return list(catalog.queue.save(lease.token, results))


def fail(catalog: Catalog, times: int = 3) -> None:
    """Let every attempt at what is queued fail so many times."""
    attempts: Counter[UUID] = Counter()
    while lease := catalog.queue.lease("run-1", 1000, 15):
        for image in lease.images:
            catalog.queue.fail(lease.token, image.id, "It does not decode.", "decoder-crashed", 0.1)
            attempts[image.id] += 1
        if min(attempts.values()) == times:
            return
    assert min(attempts.values()) == times


def ids(answer: httpx.Response) -> list[UUID]:
    """The ids of a list that was answered."""
    assert answer.status_code == 200, answer.text
    return [UUID(image["id"]) for image in answer.json()]


def strings(found: Sequence[UUID]) -> list[str]:
    return [str(each) for each in found]
