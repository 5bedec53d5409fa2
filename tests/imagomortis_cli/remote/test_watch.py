"""Watching images: events tell how they end, and a sign of life makes the watch look for itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.watch import End, Watch


def test_a_sign_of_life_makes_the_watch_look_at_its_images() -> None:
    """An image can end without an event, so the watch looks for itself when nothing else happens."""
    image_id = uuid4()
    with silent_about(image_id) as (origin, in_time), Client(origin) as client:
        endings = Watch(client, [image_id], lambda _: None, print).run()
    assert endings[image_id].end is End.DONE
    assert in_time == [True], "the watch did not look before the stream ended"


@contextmanager
def silent_about(image_id: UUID) -> Iterator[tuple[str, list[bool]]]:
    """A server on which an image is done at the second look; its events are signs of life alone.

    Yields its address, and for each stream whether the image was done before the stream ended.
    """
    looks, is_done, in_time = [], threading.Event(), list[bool]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path == "/api/events":
                self._stream()
                return
            looks.append(self.path)
            if len(looks) == 2:
                is_done.set()
            state = "done" if len(looks) > 1 else "queued"
            self._send("application/json", json.dumps([{"id": str(image_id), "state": state, "job": {"progress": {}}}]))

        def _stream(self) -> None:
            self._send("text/event-stream", "event: alive\ndata: {}\n\n")
            in_time.append(is_done.wait(30))

        def _send(self, content_type: str, text: str) -> None:
            self.send_header("content-type", content_type)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that its end waits for the streams
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", in_time
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
