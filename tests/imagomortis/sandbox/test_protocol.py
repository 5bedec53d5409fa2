"""Messages between a sandbox and its child: whole, bounded in time, and noticed when the line is dead."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagomortis.sandbox.protocol import Disconnected, Garbled, Line

Ends = tuple[Line, Line]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a line."""
    here, there = (Line(end) for end in socket.socketpair())
    yield here, there
    here.close()
    there.close()


@given(
    header=st.dictionaries(st.text(max_size=9).filter(lambda key: key != "blobs"), st.one_of(st.integers(), st.text())),
    blobs=st.lists(st.binary(max_size=300), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_a_sent_message_is_received(header: dict[str, object], blobs: list[bytes]) -> None:
    here, there = (Line(end) for end in socket.socketpair())
    here.send(header, *blobs)
    assert there.receive() == (header, blobs)
    here.close()
    there.close()


def test_large_blobs_arrive_whole(ends: Ends) -> None:
    here, there = ends
    large = bytes(range(256)) * 40_000
    sender = Thread(target=here.send, args=({"job": "x"}, large, b"", large[::-1]))
    sender.start()
    _, blobs = there.receive(time.monotonic() + 60)
    sender.join()
    assert blobs == [large, b"", large[::-1]]


def test_silence_ends_at_the_deadline(ends: Ends) -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        ends[0].receive(start + 0.1)
    assert 0.09 < time.monotonic() - start < 30


def test_a_side_that_does_not_read_ends_at_the_deadline(ends: Ends) -> None:
    with pytest.raises(TimeoutError):
        ends[0].send({}, bytes(50_000_000), deadline=time.monotonic() + 0.1)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b'\0\0\0\x20{"blobs": [4]}'])
def test_a_line_that_breaks_off_is_noticed(sent: bytes) -> None:
    one, other = socket.socketpair()
    one.sendall(sent)
    one.close()
    with pytest.raises(Disconnected):
        Line(other).receive(time.monotonic() + 5)
    other.close()


def test_sending_to_a_dead_line_is_noticed(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(Disconnected):
        ends[0].send({}, bytes(1000))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[]",
        b"{}",
        b'{"blobs": 1}',
        b'{"blobs": [-1]}',
        b'{"blobs": ["1"]}',
        b'{"blobs": [true]}',
        b'{"blobs": [600, 600]}',
        b'{"blobs": [' + b"0," * 200 + b"0]}",
        b"[" * 100_000,
    ],
)
def test_a_malformed_message_differs_from_a_closed_connection(header: bytes) -> None:
    one, other = socket.socketpair()
    sender = Thread(target=one.sendall, args=(len(header).to_bytes(4, "big") + header,))
    sender.start()
    with pytest.raises(Garbled):
        Line(other, most_bytes=1000).receive(time.monotonic() + 5)
    sender.join()
    one.close()
    other.close()


def test_a_header_that_is_too_long_is_not_waited_for() -> None:
    one, other = socket.socketpair()
    one.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(Garbled):
        Line(other).receive(time.monotonic() + 5)
    one.close()
    other.close()


def test_an_open_file_goes_along(ends: Ends, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"its bytes")
    with path.open("rb") as file:
        ends[0].send_file(file.fileno())
    descriptor = ends[1].receive_file()
    assert os.read(descriptor, 100) == b"its bytes"
    os.close(descriptor)
    ends[0].send({})
    with pytest.raises(Disconnected):
        ends[1].receive_file()
