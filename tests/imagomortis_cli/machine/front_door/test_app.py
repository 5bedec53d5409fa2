"""The front door: pages with strict headers, and requests that pass both ways as they come."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from imagomortis.settings import Settings
from imagomortis_cli.machine.front_door.app import create_app
from imagomortis_http.limits.early_answers import LingerMiddleware
from tests.imagomortis_cli.machine.front_door.backends import serving
from tests.support import web
from tests.support.running_system import free_ports, peak_memory
from tests.support.waiting import wait_until
from tests.support.web import HEAD_BYTES, status_for_head_of


class Backend:
    """A service behind the front door that does what a test asks for, and remembers."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.go_on = threading.Event()
        self.arrived = threading.Event()
        self.client_left = threading.Event()
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        name = request.url.path.rpartition("/")[2]
        response = await getattr(self, name, self.echo)(request)
        await response(scope, receive, send)

    async def echo(self, request: Request) -> Response:
        body = await request.body()
        seen = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": [[name.decode(), value.decode()] for name, value in request.headers.raw],
            "body": body.decode("latin-1"),
        }
        return JSONResponse(seen, headers={"Connection": "x-hop, close", "X-Hop": "1", "X-Kept": "1"})

    async def count(self, request: Request) -> Response:
        try:
            async for chunk in request.stream():
                self.received += len(chunk)
        except ClientDisconnect:
            self.client_left.set()
        return JSONResponse({"bytes": self.received})

    async def list(self, request: Request) -> Response:
        """As many entries as were asked for."""
        entries = [{"id": number, "filename": "a-picture.jpg"} for number in range(int(request.query_params["count"]))]
        return JSONResponse(entries)

    async def refuse(self, _: Request) -> Response:
        """Answer before the request's body has been read."""
        return JSONResponse({"detail": "too large"}, 413, {"Connection": "close"})

    async def events(self, _: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            try:
                yield b"data: first\n\n"
                await asyncio.to_thread(self.go_on.wait, 10)
                yield b"data: second\n\n"
                await asyncio.sleep(20)
            finally:
                self.client_left.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def large(self, _: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            for _ in range(1600):
                yield bytes(65_536)

        return StreamingResponse(stream())

    async def slow(self, request: Request) -> Response:
        """Answer nothing until the client has left."""
        self.arrived.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.client_left.set()
        return Response()

    async def breaks(self, _: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            yield b"half of it"
            raise RuntimeError("breaks in the middle, as it should")

        return StreamingResponse(stream(), headers={"Content-Length": "20"})


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>the page</title>")
    (folder / "assets" / "index-abc.js").write_text("the script")
    (tmp_path / "secret.txt").write_text("not for you")
    return folder


@pytest.fixture
def backend() -> Backend:
    """What is behind the door."""
    return Backend()


@pytest.fixture
def idle_seconds() -> float:
    """How long the front door waits for more of an upload."""
    return 60


@pytest.fixture
def door(backend: Backend, page: Path, idle_seconds: float) -> Iterator[httpx.Client]:
    """A client of a front door before the backend, which is both API and uploader."""
    with serving(backend) as behind:
        settings = Settings(api_port=behind, upload_port=behind, upload_idle_seconds=idle_seconds)
        with (
            serving(create_app(settings, page)) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=web.SECONDS) as client,
        ):
            yield client


def test_shows_the_page(door: httpx.Client) -> None:
    answer = door.get("/")
    assert (answer.status_code, answer.text) == (200, "<title>the page</title>")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "camera=()" in answer.headers["permissions-policy"]


def test_an_address_that_only_the_page_knows_is_the_page(door: httpx.Client) -> None:
    assert door.get("/images/42").text == "<title>the page</title>"


def test_scripts_are_sent_compressed(door: httpx.Client, page: Path) -> None:
    (page / "assets" / "large-abc.js").write_text("let it_be = 'long';\n" * 1000)
    answer = door.get("/assets/large-abc.js", headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(answer.text) == 20_000
    assert answer.num_bytes_downloaded < 2_000


def test_lists_of_the_api_are_sent_compressed_to_those_who_take_it(door: httpx.Client) -> None:
    path = "/api/list?count=2000"
    answer = door.get(path, headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(answer.json()) == 2000
    assert answer.num_bytes_downloaded < len(answer.content) / 5
    plain = door.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


@pytest.mark.parametrize("path", ["/api/list?count=1", "/api/large", "/upload/list?count=2000"])
def test_nothing_else_is_compressed_on_its_way(door: httpx.Client, path: str) -> None:
    with door.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers


def test_hashed_files_are_kept_for_ever_and_others_asked_for_anew(door: httpx.Client) -> None:
    hashed = door.get("/assets/index-abc.js")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = door.get("/", headers={"If-None-Match": door.get("/").headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


@pytest.mark.parametrize("path", ["/assets/index-gone.js", "/missing.png", "/../secret.txt", "/%2e%2e/secret.txt"])
def test_a_file_that_is_not_there_is_a_problem(door: httpx.Client, path: str) -> None:
    answer = door.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_says_how_to_build_a_page_that_is_not_there() -> None:
    with serving(create_app(Settings(), None)) as port:
        answer = web.get(f"http://127.0.0.1:{port}/")
    assert answer.status_code == 503
    assert "make up" in answer.text


def test_a_foreign_host_does_not_get_the_page(door: httpx.Client) -> None:
    answer = door.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:imagomortis:forbidden"
    assert door.get("/healthz", headers={"Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/images", "/api", "/upload", "/upload/tus/42"])
def test_passes_a_request_on_as_it_is(door: httpx.Client, path: str) -> None:
    headers = {"X-Mine": "yes", "Connection": "x-private", "X-Private": "hop", "X-Forwarded-For": "1.2.3.4"}
    answer = door.request("PATCH", f"{path}/a%2Fb?c=%20d", headers=headers, content=b"\x00\xff")
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("PATCH", f"{path}/a%2Fb", "c=%20d")
    assert seen["body"] == "\x00\xff"
    got = dict(seen["headers"])
    host = door.base_url.netloc.decode()
    assert (got["host"], got["x-forwarded-host"]) == (host, host)
    assert (got["x-forwarded-for"], got["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert got["x-mine"] == "yes"
    assert "x-private" not in got


def test_a_proxy_before_the_door_says_how_it_was_called(door: httpx.Client) -> None:
    given = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pictures.example"}
    got = dict(door.get("/api/echo", headers=given).json()["headers"])
    assert (got["x-forwarded-proto"], got["x-forwarded-host"]) == ("https", "pictures.example")


def test_a_trusted_proxy_says_who_the_client_is(page: Path, backend: Backend) -> None:
    with serving(backend) as behind:
        settings = Settings(api_port=behind, proxy_header="X-Real-IP")
        with serving(create_app(settings, page)) as port:
            answer = web.get(f"http://127.0.0.1:{port}/api/echo", headers={"X-Real-IP": "192.0.2.7"})
    assert dict(answer.json()["headers"])["x-forwarded-for"] == "192.0.2.7"


def test_the_root_of_a_service_is_passed_on(door: httpx.Client) -> None:
    assert door.post("/upload").json()["path"] == "/upload"
    assert door.get("/uploads").text == "<title>the page</title>"


def test_passes_the_answer_s_headers_on_but_those_of_one_connection(door: httpx.Client) -> None:
    headers = door.get("/api/echo").headers
    assert headers["x-kept"] == "1"
    assert "x-hop" not in headers
    assert len(headers.get_list("date")) == 1


def test_streams_an_upload(door: httpx.Client, backend: Backend) -> None:
    """The first bytes are there before the last ones were sent."""

    def body() -> Iterator[bytes]:
        yield b"a" * 1000
        wait_until(lambda: backend.received >= 1000)
        yield b"b" * 1000

    assert door.post("/upload/count", content=body()).json() == {"bytes": 2000}


def test_streams_events_at_once(door: httpx.Client, backend: Backend) -> None:
    with door.stream("GET", "/api/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        backend.go_on.set()
        assert [next(lines), next(lines)] == ["", "data: second"]
    assert backend.client_left.wait(60), "a client that goes away ends the request behind the door"


def test_a_client_that_goes_away_before_the_answer_ends_the_request(door: httpx.Client, backend: Backend) -> None:
    with socket.create_connection(("127.0.0.1", door.base_url.port)) as client:
        client.sendall(b"GET /api/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert backend.arrived.wait(60)
    assert backend.client_left.wait(60)


def test_a_client_that_goes_away_in_the_middle_of_an_upload_ends_it(door: httpx.Client, backend: Backend) -> None:
    def body() -> Iterator[bytes]:
        yield b"a" * 1000
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        door.post("/upload/count", content=body(), headers={"Content-Length": "5000"})
    assert backend.client_left.wait(60)


@pytest.mark.parametrize("idle_seconds", [0.4])
def test_a_client_that_stops_sending_is_cut_off(door: httpx.Client, backend: Backend) -> None:
    def body() -> Iterator[bytes]:
        yield b"a" * 1000
        assert backend.client_left.wait(60)
        yield b"b"

    answer = door.post("/upload/count", content=body())
    assert answer.status_code == 408
    assert answer.json()["type"] == "urn:imagomortis:request-timeout"


def test_an_answer_before_the_end_of_the_upload_arrives(page: Path, backend: Backend) -> None:
    # a service that just closed would have its answer thrown away on the way; the uploader and the API do not
    with serving(LingerMiddleware(backend)) as behind:
        settings = Settings(api_port=behind, upload_port=behind)
        with serving(create_app(settings, page)) as port:
            url = f"http://127.0.0.1:{port}/upload/refuse"
            answer = web.post(url, content=(b"a" * 65_536 for _ in range(100)))
    assert answer.status_code == 413


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(door: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        door.get("/api/breaks")


def test_a_service_that_is_away_is_a_problem_and_the_page_stays(page: Path) -> None:
    api, upload = free_ports(2)
    settings = Settings(api_port=api, upload_port=upload)
    with serving(create_app(settings, page)) as port:
        answer = web.get(f"http://127.0.0.1:{port}/api/images")
        assert web.get(f"http://127.0.0.1:{port}/").status_code == 200
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"].startswith("The API does not answer")


def test_a_service_that_comes_back_is_found_again(page: Path, backend: Backend) -> None:
    [behind] = free_ports(1)
    settings = Settings(api_port=behind, upload_port=behind)
    with serving(create_app(settings, page)) as port:
        address = f"http://127.0.0.1:{port}/api/images"
        for _ in range(2):
            with serving(backend, behind):
                assert web.get(address).status_code == 200
            assert web.get(address).status_code == 502


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: memory is read from /proc")
def test_the_program_refuses_large_heads_and_its_memory_stays_flat_while_a_hundred_mebibytes_go_through(
    backend: Backend,
) -> None:
    with serving(backend) as behind:
        [port] = free_ports(1)
        ports = {"WEB": port, "API": behind, "UPLOAD": behind}
        environment = {**os.environ, **{f"IMAGOMORTIS_{name}_PORT": str(number) for name, number in ports.items()}}
        command = [sys.executable, "-m", "imagomortis_cli.machine.front_door.app"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(address), 200)
            assert status_for_head_of(HEAD_BYTES, port)[0] in {200, 503}  # the page may not be built
            assert status_for_head_of(HEAD_BYTES + 1, port) == (431, True)
            before = peak_memory(process.pid)
            assert web.post(f"{address}/upload/count", content=(bytes(65_536) for _ in range(1600))).json() == {
                "bytes": 100 * 1024 * 1024
            }
            with web.stream("GET", f"{address}/api/large") as answer:
                assert sum(len(chunk) for chunk in answer.iter_raw()) == 100 * 1024 * 1024
            assert peak_memory(process.pid) - before < 10 * 1024 * 1024
        finally:
            process.terminate()
            assert process.wait(60) in {0, -15}


def answers(address: str) -> bool:
    try:
        return web.get(f"{address}/healthz").status_code == 200
    except httpx.ConnectError:
        return False
