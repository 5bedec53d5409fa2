"""Traces: one for each image, by its id; and nothing at all while they are off."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from imagomortis import traces
from imagomortis.errors import ConfigurationError
from tests.support.span_collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        traces.configure("api", found.url)
        yield found
        traces.configure("api", "")


def test_the_spans_of_an_image_are_one_trace_below_its_upload(collector: Collector) -> None:
    image = uuid4()
    traces.note("process", image, 0.2, run="r", attempt=1, nothing=None)
    traces.note(traces.FIRST, image, 0.5)
    traces.flush()
    upload, process = collector.of(image)
    assert (upload.name, upload.parent) == ("upload", b"")
    assert (process.name, process.parent) == ("process", upload.id)
    assert (process.ended - process.began) / 1e9 == pytest.approx(0.2)
    assert abs(process.ended / 1e9 - time.time()) < 60
    assert process.attributes == {
        "imagomortis.image": str(image),
        "imagomortis.run": "r",
        "imagomortis.attempt": "1",
    }
    assert {span.part for span in (upload, process)} == {"api"}


def test_a_failure_is_told(collector: Collector) -> None:
    image = uuid4()
    traces.note("process", image, 0.1, "broken")
    traces.flush()
    [span] = collector.of(image)
    assert span.error == "broken"


def test_without_a_collector_nothing_is_imported() -> None:
    script = (
        "import sys; from uuid import uuid4; from imagomortis import traces; traces.configure('api', ''); "
        "traces.note('upload', uuid4(), 1); traces.flush(); "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.slow
def test_a_collector_that_is_away_holds_nobody_up() -> None:
    traces.configure("api", "http://127.0.0.1:1")
    try:
        began = time.monotonic()
        traces.note("upload", uuid4(), 1)
        assert time.monotonic() - began < 8
    finally:
        traces.configure("api", "")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=f"{sys.executable} -m pip install opentelemetry-sdk"):
        traces.configure("api", "http://127.0.0.1:1")
    assert not traces.is_on()
