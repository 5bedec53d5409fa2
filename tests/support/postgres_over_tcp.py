"""A server's socket file, reached over TCP."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with source, target:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def over_tcp(url: str) -> Iterator[str]:
    """Lend a URL that leads over TCP to the Postgres of ``url``, whose host may be a folder of socket files."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    folder = query.pop("host", "")
    if not folder.startswith("/"):
        yield url
        return
    file = f"{folder}/.s.PGSQL.{query.pop('port', '5432')}"

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            server = socket.socket(socket.AF_UNIX)
            server.connect(file)
            back = threading.Thread(target=_pass_on, args=(server.dup(), self.request.dup()), daemon=True)
            back.start()
            _pass_on(self.request.dup(), server)
            back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        try:
            user = f"{parts.username}@" if parts.username else ""
            where = f"{user}127.0.0.1:{relay.server_address[1]}"
            yield parts._replace(netloc=where, query=urlencode(query)).geturl()
        finally:
            relay.shutdown()
