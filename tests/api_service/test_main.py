"""The program: how it starts, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK
from tests.api_service.conftest import add
from tests.api_service.routes.test_events import listening
from tests.support import web
from tests.support.running_system import free_ports
from tests.support.waiting import wait_until
from tests.support.web import HEAD_BYTES, status_for_head_of

pytestmark = pytest.mark.slow


@contextmanager
def running(database: str, **settings: object) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run the program; yield it with the addresses of the API and of its metrics."""
    port, metrics = free_ports(2)
    ours = {"IMAGOMORTIS_API_PORT": port, "IMAGOMORTIS_API_METRICS_PORT": metrics, "DATABASE_URL": database, **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    process = subprocess.Popen(
        [sys.executable, "-m", "api_service"],
        env=environment | {name: str(value) for name, value in ours.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}"
    finally:
        process.kill()
        process.communicate()


def await_ready(address: str) -> None:
    def is_ready() -> bool:
        try:
            return web.get(f"{address}/events/../readyz", timeout=30).status_code == 200
        except httpx.ConnectError:
            return False

    wait_until(is_ready, 200)


def test_it_serves_logs_and_measures_until_it_is_told_to_end(database: str, catalog: Catalog) -> None:
    image = add(catalog, b"bytes")
    with running(database) as (process, address, metrics):
        await_ready(address)
        assert web.get(f"{address}/images/{image}?secret=1").content == b"bytes"
        assert "imagomortis_api_requests_total" in web.get(f"{metrics}/metrics").text
        for port in (httpx.URL(address).port, httpx.URL(metrics).port):
            assert port is not None
            assert status_for_head_of(HEAD_BYTES, port, "/healthz")[0] == 200
            assert status_for_head_of(HEAD_BYTES + 1, port, "/healthz") == (431, True)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=300)
    lines = [json.loads(line) for line in output.splitlines()]
    assert {line["part"] for line in lines} == {"api"}
    [request] = [line for line in lines if line["event"] == "request" and line["path"] == f"/images/{image}"]
    assert (request["status"], request["bytes"]) == (200, 5)
    assert "secret" not in output
    assert errors == ""
    assert process.returncode in {0, -signal.SIGTERM}


def test_event_streams_end_at_once(database: str) -> None:
    with running(database, IMAGOMORTIS_STOP_SECONDS=300) as (process, address, _):
        await_ready(address)
        with listening(address) as stream:
            stream.until("stats")
            process.send_signal(signal.SIGTERM)
            process.wait(100)


def test_an_answer_under_way_is_finished(database: str, catalog: Catalog) -> None:
    image = add(catalog, bytes(30 * CHUNK))
    with running(database) as (process, address, _):
        await_ready(address)
        with web.stream("GET", f"{address}/images/{image}") as answer:
            parts = answer.iter_raw(CHUNK)
            size = len(next(parts))
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert size + sum(len(part) for part in parts) == 30 * CHUNK


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: connections are told by Linux")
def test_it_waits_until_the_last_byte_has_left(database: str, catalog: Catalog) -> None:
    image = add(catalog, bytes(300_000))
    with running(database) as (process, address, _), socket.socket() as client:
        await_ready(address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", httpx.URL(address).port))
        client.sendall(f"GET /images/{image} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        client.recv(1, socket.MSG_PEEK)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert process.poll() is None
        size = sum(len(part) for part in iter(lambda: client.recv(65_536), b""))
        assert size > 300_000
        process.wait(100)


def test_without_a_database_it_says_what_to_set() -> None:
    with running("", DATABASE_URL="") as (process, _, _):
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "DATABASE_URL" in errors


def test_a_port_in_use_is_named(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(database, IMAGOMORTIS_API_METRICS_PORT=port) as (process, _, _):
            _, errors = process.communicate(timeout=300)
            assert (process.returncode, str(port) in errors) == (2, True)
        with running(database, IMAGOMORTIS_API_PORT=port) as (process, _, _):
            _, errors = process.communicate(timeout=300)
            assert (process.returncode, str(port) in errors) == (2, True)
