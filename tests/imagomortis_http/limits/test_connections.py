"""The protocol of every listener: heads, framing and connections have limits, whoever the client is."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.server import ServerState
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from imagomortis_http.limits import connections
from imagomortis_http.listener import configuration
from imagomortis_http.problems import MEDIA_TYPE as PROBLEM
from tests.support.waiting import wait_until
from tests.support.web import HEAD_BYTES, status_for_head_of
from tests.upload_service.uploader import Answer, answer, chunk

ECHO = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = ECHO + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /silent HTTP/1.1\r\nHost: localhost\r\n"


class Listener:
    """A server in a thread, with requests that are answered at once or when the test says so."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.waiting = 0
        self.large_answers = 0
        self.state = ServerState()
        self.go_on = threading.Event()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    async def echo(self, request: Request) -> Response:
        self.waiting += 1
        try:
            return Response(await request.body())
        finally:
            self.waiting -= 1

    async def silent(self, _: Request) -> Response:
        return Response(b"read nothing")

    async def wait(self, _: Request) -> Response:
        self.waiting += 1
        await asyncio.to_thread(self.go_on.wait, 30)
        return Response(b"waited")

    async def large(self, _: Request) -> Response:
        self.large_answers += 1
        return Response(bytes(32 * 2**20))

    async def endless(self, _: Request) -> Response:
        self.large_answers += 1

        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield bytes(2**20)
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)


@contextmanager
def listening(connections: int, websockets: str = "none") -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as place:
        found = Listener(place.getsockname()[1])
        routes = [
            Route("/", found.echo, methods=["POST"]),
            Route("/silent", found.silent, methods=["GET", "POST"]),
            Route("/healthz", found.silent),
            Route("/wait", found.wait),
            Route("/large", found.large),
            Route("/endless", found.endless),
            WebSocketRoute("/socket", found.socket),
        ]
        config = configuration(Starlette(routes=routes), connections, lifespan="off")
        config.ws = websockets  # of our own listeners none has any
        server = uvicorn.Server(config)
        server.server_state = found.state
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield found
        finally:
            found.go_on.set()
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening(100) as found:
        yield found


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let listeners wait no more than a moment for a head from now on."""
    return lambda: monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection, whatever it still sends."""
    with suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass
    return True


# --- heads that are too large -----------------------------------------------------------------------------------------


def test_a_head_that_is_too_large_is_refused_with_a_problem(listener: Listener) -> None:
    with listener.connect() as connection:
        connection.sendall(GET + b"X-Filler: " + b"x" * HEAD_BYTES)
        response = answer(connection)

        assert (response.status, response.headers["content-type"]) == (431, PROBLEM)
        assert response.json()["type"] == "urn:imagomortis:head-too-large"
        assert is_closed(connection)


def test_the_largest_head_is_taken_and_one_byte_more_is_not(listener: Listener) -> None:
    assert status_for_head_of(HEAD_BYTES, listener.port, "/silent")[0] == 200
    assert status_for_head_of(HEAD_BYTES + 1, listener.port, "/silent") == (431, True)


def test_a_client_that_sends_a_huge_head_without_looking_gets_the_answer(listener: Listener) -> None:
    assert status_for_head_of(2 * 2**20, listener.port, "/silent") == (431, True)


@pytest.mark.parametrize("piece", [b"X-Filler: 1\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"])
def test_a_head_may_not_come_in_pieces_for_ever(listener: Listener, piece: bytes) -> None:
    with listener.connect() as connection:
        connection.sendall(GET)
        sent = 0
        while sent <= HEAD_BYTES:
            connection.sendall(piece)
            sent += len(piece)

        assert answer(connection).status == 431


def test_the_second_head_on_a_connection_has_the_same_limit(listener: Listener) -> None:
    with listener.connect() as connection:
        for _ in range(3):
            connection.sendall(ECHO + b"Content-Length: 100000\r\n\r\n" + bytes(100_000))
            assert answer(connection).body == bytes(100_000)
        connection.sendall(GET + b"X-Filler: " + b"x" * HEAD_BYTES)
        assert answer(connection).status == 431


def test_a_body_is_no_head(listener: Listener) -> None:
    body = bytes(range(256)) * 4096
    with listener.connect() as connection:
        for _ in range(2):
            connection.sendall(ECHO + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert answer(connection).body == body
        connection.sendall(CHUNKED + b"".join(chunk(b"x") for _ in range(30_000)) + chunk(b""))
        assert answer(connection).body == b"x" * 30_000


@pytest.mark.parametrize(
    "said",
    [chunk(b"some") + b"0\r\nX-Trailer: ", chunk(b"some") + b"4;extension="],
    ids=["trailer", "chunk extension"],
)
def test_the_framing_of_a_body_has_a_limit_too(listener: Listener, said: bytes) -> None:
    with listener.connect() as connection:
        connection.sendall(CHUNKED + said)
        with suppress(ConnectionError):
            connection.sendall(b"x" * 2 * HEAD_BYTES)
        assert is_closed(connection)


# --- clients that do not go on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: local"])
def test_a_connection_whose_request_does_not_begin_is_closed(
    listener: Listener, hurry: Callable[[], None], said: bytes
) -> None:
    hurry()
    began = time.monotonic()
    with listener.connect() as connection:
        with suppress(ConnectionError):  # it is closed already
            connection.sendall(said)

        assert is_closed(connection)
        assert time.monotonic() - began > 0.15


def drip(connection: socket.socket, drop: bytes) -> None:
    """Send a drop now and then until the server closes the connection, which must be before the thousandth."""
    connection.settimeout(0.02)
    with suppress(ConnectionError):
        for _ in range(1000):
            connection.sendall(drop)
            with suppress(TimeoutError):
                if not connection.recv(65_536):
                    return
        pytest.fail("The connection is still open")


def test_a_head_that_comes_in_drops_does_not_keep_a_connection(listener: Listener, hurry: Callable[[], None]) -> None:
    hurry()
    with listener.connect() as connection:
        connection.sendall(GET)
        drip(connection, b"X: 1\r\n")


def test_drops_between_two_requests_do_not_keep_a_connection(listener: Listener, hurry: Callable[[], None]) -> None:
    with listener.connect() as connection:
        assert get(connection, "/silent").status == 200
        hurry()
        drip(connection, b"\r\n")


def test_a_body_that_nobody_reads_does_not_keep_a_connection(listener: Listener, hurry: Callable[[], None]) -> None:
    with listener.connect() as connection:
        connection.sendall(b"POST /silent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
        assert answer(connection).body == b"read nothing"
        hurry()
        drip(connection, b"x")


def test_a_slow_body_is_not_the_business_of_the_protocol(listener: Listener, hurry: Callable[[], None]) -> None:
    with listener.connect() as connection:
        connection.sendall(ECHO + b"Content-Length: 4\r\n\r\na")
        wait_until(lambda: listener.waiting)
        hurry()
        connection.sendall(b"b")
        time.sleep(0.6)
        connection.sendall(b"cd")
        assert answer(connection).body == b"abcd"


def connected(url: str) -> ClientConnection:
    """Connect, again if a busy machine was slower than a hurried listener waits."""
    while True:
        with suppress(ConnectionError, ConnectionClosed, InvalidHandshake):
            return connect(url, open_timeout=60)


def test_a_websocket_stays_however_long_it_is_silent(hurry: Callable[[], None]) -> None:
    hurry()
    with listening(10, websockets="auto") as listener, connected(f"ws://127.0.0.1:{listener.port}/socket") as client:
        with listener.connect() as later:
            assert is_closed(later)
        client.send("still here")
        assert client.recv(60) == "still here"


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_a_client_that_does_not_read_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Whether the application waits for it or has left the bytes to the listener."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    with listening(10) as listener, listener.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_until(lambda: listener.large_answers)  # a count, because the connection can be gone at once
        wait_until(lambda: not listener.state.connections)


# --- connections ------------------------------------------------------------------------------------------------------


def get(connection: socket.socket, path: str) -> Answer:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return answer(connection)


def test_a_connection_without_a_request_gives_way_to_a_new_one() -> None:
    with listening(3) as listener, ExitStack() as stack:
        oldest, *others = [stack.enter_context(listener.connect()) for _ in range(3)]
        for connection in (oldest, *others):
            assert get(connection, "/silent").status == 200

        with listener.connect() as another:
            assert get(another, "/silent").status == 200
            assert is_closed(oldest)
            assert [get(connection, "/silent").status for connection in others] == [200, 200]


def test_a_connection_is_refused_if_all_others_are_at_work() -> None:
    with listening(2) as listener, listener.connect() as first, listener.connect() as second:
        for connection in (first, second):
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: listener.waiting == 2)

        with listener.connect() as another:
            refusal = answer(another)
            assert (refusal.status, refusal.headers["retry-after"]) == (503, "5")
            assert is_closed(another)
        listener.go_on.set()
        assert [answer(connection).body for connection in (first, second)] == [b"waited", b"waited"]
        with listener.connect() as another:
            assert get(another, "/silent").status == 200
