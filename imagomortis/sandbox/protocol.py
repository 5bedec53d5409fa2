"""Sends messages between a sandbox and its child: a JSON header, then raw bytes, over a socket pair.

::

    4 bytes   length of the header, big-endian
    n bytes   header: a JSON object; its member "blobs" lists the lengths of the blobs
    m bytes   each blob, one after the other

A file is passed as an open descriptor. It is sent by itself, after the message that announces it.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 1 << 20
_MOST_BYTES = 1 << 31
_MOST_BLOBS = 100
_FILE = b"f"


class Disconnected(Exception):
    """The other side has closed the line."""


class Garbled(Exception):
    """The other side sent an invalid message, or more bytes than allowed."""


class Line:
    """One end of the line. It sends and receives whole messages, with an optional deadline."""

    def __init__(self, end: socket.socket, most_bytes: int = _MOST_BYTES) -> None:
        """Take a connected stream socket, and the most bytes that the blobs of a received message may have."""
        self._end = end
        self._most = most_bytes

    def send(self, header: dict[str, Any], *blobs: bytes, deadline: float | None = None) -> None:
        """Send a message; raise TimeoutError past the ``deadline`` (monotonic seconds), Disconnected if closed."""
        text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
        try:
            for part in (_LENGTH.pack(len(text)) + text, *blobs):
                self._limit(deadline)
                self._end.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected from None

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """Return the next message and its blobs; raise as ``send`` does, and Garbled."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        if length > _LONGEST_HEADER:
            raise Garbled("A header is too long.")
        header, sizes = _parsed(self._exactly(length, deadline))
        if sum(sizes) > self._most:
            raise Garbled("The blobs are too long.")
        return header, [self._exactly(size, deadline) for size in sizes]

    def send_file(self, descriptor: int, deadline: float | None = None) -> None:
        """Send an open file; raise as ``send`` does."""
        self._limit(deadline)
        try:
            socket.send_fds(self._end, [_FILE], [descriptor])
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected from None

    def receive_file(self) -> int:
        """Return the descriptor of a file that was sent, which the caller closes; raise Disconnected."""
        _, descriptors, _, _ = socket.recv_fds(self._end, len(_FILE), 1)
        if not descriptors:
            raise Disconnected
        return descriptors[0]

    def close(self) -> None:
        """Close this end."""
        self._end.close()

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        self._limit(deadline)
        # most messages are short and arrive in one piece
        piece = self._piece(size)
        if len(piece) == size:
            return piece
        whole = bytearray(size)
        whole[: len(piece)] = piece
        view, filled = memoryview(whole), len(piece)
        del piece
        while filled < size:
            self._limit(deadline)
            filled += self._into(view[filled:])
        view.release()
        return bytes(whole)

    def _piece(self, size: int) -> bytes:
        if size == 0:
            return b""
        try:
            piece = self._end.recv(min(size, 1 << 16))
        except ConnectionResetError:
            raise Disconnected from None
        if not piece:
            raise Disconnected
        return piece

    def _into(self, view: memoryview) -> int:
        try:
            received = self._end.recv_into(view)
        except ConnectionResetError:
            raise Disconnected from None
        if not received:
            raise Disconnected
        return received

    def _limit(self, deadline: float | None) -> None:
        if deadline is None:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._end.settimeout(left)


def _parsed(text: bytes) -> tuple[dict[str, Any], list[int]]:
    """Return a header and the sizes of its blobs; raise Garbled if it is invalid."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"A header is not JSON: {error}") from None
    sizes = header.pop("blobs", None) if isinstance(header, dict) else None
    if (
        not isinstance(sizes, list)
        or len(sizes) > _MOST_BLOBS
        or not all(type(size) is int and size >= 0 for size in sizes)
    ):
        raise Garbled("A header does not say what follows it.")
    return header, sizes
