"""Serves image bytes as a bare loop that uses the API's own statement: the floor of the API.

python -m bench.suites.floors.api CONNINFO PORT
"""

from __future__ import annotations

import socket
import sys
import threading
from uuid import UUID

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK


def serve(conninfo: str, port: int) -> None:
    """Serve each connection in its own thread, for ever."""
    with Catalog(conninfo) as catalog, socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=_send, args=(catalog, client), daemon=True).start()


def _send(catalog: Catalog, client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client, client.makefile("rb") as requests:
        while line := requests.readline():
            while requests.readline() not in {b"\r\n", b""}:
                pass
            image_id = UUID(line.split(b" ")[1].split(b"/")[2].decode())
            picture = catalog.images.picture(image_id, "original", head=100 * CHUNK)
            assert picture is not None
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % picture.size)
            client.sendall(picture.head)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
