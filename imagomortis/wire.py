"""Messages between a sandbox and its child: a JSON header, then raw bytes, over a socket pair.

::

    4 bytes   length of the header, big-endian
    n bytes   header: a JSON object; its member "blobs" lists the lengths of what follows
    m bytes   each blob, one after the other
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 1 << 20
_LONGEST_BLOB = 1 << 31


class Disconnected(Exception):
    """The other side is gone."""


class Line:
    """One end of the line; sends and receives whole messages, until a deadline where one is given."""

    def __init__(self, end: socket.socket) -> None:
        """Take a connected stream socket."""
        self._end = end

    def send(self, header: dict[str, Any], *blobs: bytes, deadline: float | None = None) -> None:
        """Send a message; raise TimeoutError past the ``deadline`` (monotonic seconds), Disconnected on a dead line."""
        text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
        try:
            for part in (_LENGTH.pack(len(text)) + text, *blobs):
                self._limit(deadline)
                self._end.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected from None

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """Return the next message and its blobs; raise as ``send`` does."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        if length > _LONGEST_HEADER:
            raise Disconnected
        header = json.loads(self._exactly(length, deadline))
        sizes = header.pop("blobs")
        if any(not 0 <= size <= _LONGEST_BLOB for size in sizes):
            raise Disconnected
        return header, [self._exactly(size, deadline) for size in sizes]

    def close(self) -> None:
        """Close this end."""
        self._end.close()

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        self._limit(deadline)
        # most messages are short and come in one piece
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
