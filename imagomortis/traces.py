"""Sends one OpenTelemetry trace per image, across all parts; off unless IMAGOMORTIS_TRACES_URL is set.

An image's id is the id of its trace (both have 128 bits), and its last half is the id of the first span. So no part has
to pass a trace context to the next, neither in the spool nor in Postgres. A span is sent when it is over, where the
same fact is logged. While traces are off, OpenTelemetry is not imported, and a note costs one comparison.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from imagomortis.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext

FIRST: Final = "upload"
"""The name of a trace's first span. All other spans are its children."""

PACKAGES: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")

FLUSH_SECONDS: Final = 5.0

_HALF = 2**64


def configure(part: str, url: str) -> None:
    """Send the spans of ``part`` to the collector at ``url`` (OTLP over HTTP); send none if that is empty.

    Raises ConfigurationError if OpenTelemetry's packages are missing.
    """
    global _sender  # noqa: PLW0603  # one per process, like the root logger
    flush()
    _sender = None
    if not url:
        return
    if not (find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter")):
        raise ConfigurationError(
            "IMAGOMORTIS_TRACES_URL is set, but OpenTelemetry, which comes with ImagoMortis, is not there. Install it: "
            f"{sys.executable} -m pip install {' '.join(PACKAGES)}; or unset the variable."
        )
    _sender = _Sender(part, url)


def note(name: str, image: UUID, seconds: float, error: str | None = None, **attributes: object) -> None:
    """Send a span for work on an image that has just ended after ``seconds``; it failed if there is an ``error``.

    Attributes that are None are left out.
    """
    if _sender:
        ended = time.time_ns()
        _sender.send(name, image, (ended - int(seconds * 1e9), ended), error, attributes)


def is_on() -> bool:
    """Return whether spans are sent."""
    return _sender is not None


def flush() -> None:
    """Send queued spans, for up to FLUSH_SECONDS, in a process that can end without running exit handlers."""
    if _sender:
        _sender.flush()


@dataclass(frozen=True)
class _Sender:
    """Makes spans, and sends them in a thread of its own."""

    part: str
    url: str

    @cached_property
    def _processor(self) -> SpanProcessor:
        """The span processor, created for the first span because its import takes a third of a second."""
        import atexit

        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = OTLPSpanExporter(endpoint=f"{self.url.rstrip('/')}/v1/traces")
        processor = BatchSpanProcessor(exporter, schedule_delay_millis=1000)
        atexit.register(processor.shutdown)
        return processor

    @cached_property
    def _resource(self) -> Any:
        from opentelemetry.sdk.resources import Resource

        return Resource.create({"service.name": self.part, "service.namespace": "imagomortis"})

    def send(
        self, name: str, image: UUID, span: tuple[int, int], error: str | None, attributes: Mapping[str, object]
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        known = {f"imagomortis.{key}": value for key, value in attributes.items() if value is not None}
        first = name == FIRST
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_context(image, first=first),
                parent=None if first else _context(image, first=True),
                resource=self._resource,
                attributes={"imagomortis.image": str(image), **known},  # type: ignore[dict-item]
                kind=SpanKind.INTERNAL,
                status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK),
                start_time=span[0],
                end_time=span[1],
                instrumentation_scope=_scope(),
            )
        )

    def flush(self) -> None:
        if "_processor" in self.__dict__:
            self._processor.force_flush(int(FLUSH_SECONDS * 1000))


def _context(image: UUID, *, first: bool) -> SpanContext:
    import random

    from opentelemetry.trace import SpanContext, TraceFlags

    span = image.int % _HALF if first else random.getrandbits(64)  # an id, not a secret
    return SpanContext(image.int, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _scope() -> InstrumentationScope:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope("imagomortis")


_sender: _Sender | None = None
