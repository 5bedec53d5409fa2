"""Clients that leave, dawdle, wait or send too much, against a real server over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import photo, save
from tests.support.running_system import peak_memory
from tests.support.waiting import wait_until
from tests.support.web import HEAD_BYTES, status_for_head_of
from tests.upload_service.uploader import Uploader, answer, chunk, form, head, running

pytestmark = pytest.mark.slow

MIB = 2**20
LIMIT = 40 * MIB
PICTURE = photo(384, 256)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploader]:
    spool = tmp_path_factory.mktemp("streaming") / "spool"
    with running(spool, max_upload_bytes=LIMIT, upload_idle_seconds=60) as uploader:
        yield uploader


@pytest.fixture
def uploader(shared: Uploader) -> Iterator[Uploader]:
    """A running uploader with an empty spool, whose ``incoming/`` must be empty again after the test."""
    for folder in shared.contents.spool.scan(1000):
        shared.contents.spool.remove(folder)
    assert shared.contents.begun == []
    yield shared
    wait_until(lambda: not shared.contents.begun)


def test_a_picture_that_comes_byte_by_byte_arrives(uploader: Uploader) -> None:
    body = form(photo(16, 16))
    with uploader.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head(len(body)) + body:
            connection.send(bytes([byte]))
        assert answer(connection).status == 201
    assert uploader.contents.entries[0].original.read_bytes() == photo(16, 16)


def test_a_chunked_upload_arrives(uploader: Uploader) -> None:
    body = form(PICTURE)
    with uploader.connect() as connection:
        connection.sendall(head(None))
        for start in range(0, len(body), 1000):
            connection.sendall(chunk(body[start : start + 1000]))
        connection.sendall(chunk(b""))
        assert answer(connection).status == 201
    assert uploader.contents.entries[0].original.read_bytes() == PICTURE


def test_a_connection_serves_one_upload_after_the_other(uploader: Uploader) -> None:
    body = form(PICTURE)
    with uploader.connect() as connection:
        for _ in range(3):
            connection.sendall(head(len(body)) + body)
            assert answer(connection).status == 201
    assert len(uploader.contents.entries) == 3


# --- clients that leave -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(uploader: Uploader, share: float) -> None:
    aborted = len(uploader.lines("aborted"))
    body = form(save(Image.new("RGB", (2000, 1000)), "BMP"))
    with uploader.connect() as connection:
        connection.sendall(head(len(body)) + body[: int(len(body) * share)])
        time.sleep(0.2)

    wait_until(lambda: len(uploader.lines("aborted")) == aborted + 1)
    assert uploader.contents.begun == []
    assert uploader.contents.entries == []


def test_a_client_that_leaves_between_two_files_leaves_neither(uploader: Uploader) -> None:
    aborted = len(uploader.lines("aborted"))
    body = form(PICTURE, PICTURE)
    with uploader.connect() as connection:
        connection.sendall(head(len(body)) + body[:-1000])
        wait_until(lambda: uploader.contents.begun)

    wait_until(lambda: len(uploader.lines("aborted")) == aborted + 1)
    assert uploader.contents.begun == []
    assert uploader.contents.entries == []


def test_a_client_that_leaves_during_the_check_leaves_nothing(uploader: Uploader) -> None:
    aborted = len(uploader.lines("aborted"))
    body = form(*[save(Image.new("RGB", (9000, 9000)), "PNG")] * 6)  # seconds of work for the decoders
    with uploader.connect() as connection:
        connection.sendall(head(len(body)) + body)
        wait_until(lambda: len(uploader.contents.begun) == 6)
        time.sleep(0.2)

    wait_until(lambda: len(uploader.lines("aborted")) == aborted + 1)
    wait_until(lambda: not uploader.contents.begun)
    assert uploader.contents.entries == []
    assert not [line for line in uploader.lines("request") if line["status"] == 500]


# --- clients that are slow --------------------------------------------------------------------------------------------


def test_a_client_that_falls_silent_is_cut_off_and_told(tmp_path: Path) -> None:
    body = form(PICTURE)
    with running(tmp_path / "spool", upload_idle_seconds=1) as uploader, uploader.connect() as connection:
        began = time.monotonic()
        connection.sendall(head(len(body)) + body[:5000])
        response = answer(connection)

        assert response.status == 408
        assert response.json()["type"] == "urn:imagomortis:request-timeout"
        assert response.headers["connection"] == "close"
        assert 1 <= time.monotonic() - began < 50
        assert uploader.contents.begun == []
        assert connection.recv(1) == b""
        assert uploader.contents.entries == []


def test_a_client_that_is_slow_but_not_silent_is_served(tmp_path: Path) -> None:
    body = form(photo(768, 512))
    with running(tmp_path / "spool", upload_idle_seconds=5) as uploader, uploader.connect() as connection:
        connection.sendall(head(len(body)))
        began = time.monotonic()
        size = len(body) // 12 + 1
        for start in range(0, len(body), size):
            connection.sendall(body[start : start + size])
            time.sleep(0.6)
        assert answer(connection).status == 201
        assert time.monotonic() - began > 6


# --- clients that wait for a go-ahead ---------------------------------------------------------------------------------


def test_a_client_that_waits_for_a_go_ahead_gets_it(uploader: Uploader) -> None:
    body = form(PICTURE)
    with uploader.connect() as connection:
        connection.sendall(head(len(body), "Expect: 100-continue"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer(connection).status == 201


def test_a_client_that_would_send_too_much_gets_its_answer_instead(uploader: Uploader) -> None:
    with uploader.connect() as connection:
        connection.sendall(head(10 * LIMIT, "Expect: 100-continue"))
        response = answer(connection)

    assert response.status == 413
    assert response.json()["type"] == "urn:imagomortis:picture-too-large"


# --- clients that send too much ---------------------------------------------------------------------------------------


def test_a_client_that_reads_only_after_sending_too_much_still_gets_the_answer(uploader: Uploader) -> None:
    body = form(bytes(LIMIT + 20 * MIB))
    with uploader.connect() as connection:
        connection.sendall(head(len(body)) + body)  # all of it, and without looking
        response = answer(connection)

    assert response.status == 413
    assert response.headers["connection"] == "close"


def test_a_client_that_never_stops_sending_is_answered_at_the_limit(uploader: Uploader) -> None:
    sent = 0
    with uploader.connect() as connection:
        connection.sendall(head(None) + chunk(form(b"")[:100]))
        connection.setblocking(False)
        piece = memoryview(chunk(bytes(64 * 1024)))
        rest = piece
        while True:
            with suppress(BlockingIOError):
                if connection.recv(12, socket.MSG_PEEK):
                    break
            try:
                written = connection.send(rest)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            sent += written
            rest = rest[written:] or piece
        connection.setblocking(True)
        response = answer(connection)

    assert response.status == 413
    assert LIMIT < sent < LIMIT + 16 * MIB  # what lies between is in the buffers of two sockets
    assert uploader.contents.begun == []


def test_a_refusal_before_the_end_of_the_request_reaches_the_client(uploader: Uploader) -> None:
    for lines, status in (
        (("POST /elsewhere HTTP/1.1", "Host: localhost"), 404),
        (("PUT /upload HTTP/1.1", "Host: localhost"), 405),
        (("POST /upload HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg"), 415),
        (("POST /upload HTTP/1.1", "Host: evil.example"), 403),
    ):
        body = bytes(30 * MIB)
        with uploader.connect() as connection:
            connection.sendall("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
            assert answer(connection).status == status


def test_a_head_that_is_too_large_is_refused_by_uploader_and_metrics(uploader: Uploader) -> None:
    for port in (uploader.port, uploader.metrics_port):
        assert status_for_head_of(HEAD_BYTES, port, "/healthz")[0] == 200
        assert status_for_head_of(HEAD_BYTES + 1, port, "/healthz") == (431, True)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_memory_stays_flat_while_large_pictures_go_through(tmp_path: Path) -> None:
    body = form(save(Image.new("RGB", (5700, 5700)), "BMP"))
    with running(tmp_path / "spool") as uploader:
        before = peak_memory(uploader.memory.pid)
        for _ in range(3):
            with uploader.connect() as connection:
                connection.sendall(head(len(body)) + body)
                assert answer(connection).status == 201
        grown = peak_memory(uploader.memory.pid) - before

    assert len(body) > 90 * MIB
    assert grown < 40 * MIB
