"""A collector of OpenTelemetry's spans, as a person would run one, in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it arrived."""

    part: str
    name: str
    trace: UUID
    id: bytes
    parent: bytes
    began: int
    ended: int
    attributes: dict[str, str]
    error: str


class Collector:
    """What arrived, and where to send it."""

    def __init__(self, url: str) -> None:
        """Take the address."""
        self.url = url
        self.spans: list[Span] = []

    def of(self, image: UUID) -> list[Span]:
        """The spans of one image, in the order of their beginning."""
        return sorted((span for span in self.spans if span.trace == image), key=lambda span: span.began)

    def take(self, body: bytes) -> None:
        """Read what an exporter sent."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    values = {
                        each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes
                    }
                    self.spans.append(
                        Span(
                            names["service.name"],
                            span.name,
                            UUID(bytes=span.trace_id),
                            span.span_id,
                            span.parent_span_id,
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            values,
                            span.status.message,
                        )
                    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector for the length of a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            found.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
