"""A line to a server, which can be cut: a proxy for TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Line:
    """Passes connections on to a server, but for the next few that it cuts in the middle of a request."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self._target = (parts.hostname, parts.port)
        self._open = set[socket.socket]()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.to_cut = 0
        self.to_cut_after: list[int] = []
        """For each of the next connections, after how many bytes it is cut."""
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection at once."""
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End every connection, and take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self.to_cut:
            self.to_cut -= 1
            near.recv(200)
            near.close()
            return
        with near, socket.create_connection(self._target) as far:
            with self._lock:
                self._open |= {near, far}
            back = threading.Thread(target=_copy, args=[far, near], daemon=True)
            back.start()
            _copy(near, far, self.to_cut_after.pop(0) if self.to_cut_after else None)
            back.join()
            with self._lock:
                self._open -= {near, far}


def _copy(source: socket.socket, target: socket.socket, limit: int | None = None) -> None:
    copied = 0
    with suppress(OSError):
        while (limit is None or copied < limit) and (data := source.recv(65_536)):
            target.sendall(data)
            copied += len(data)
    for end in (target, source) if limit is not None else (target,):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line(origin: str) -> Iterator[Line]:
    """Lend a line to a server."""
    found = Line(origin)
    try:
        yield found
    finally:
        found.close()
