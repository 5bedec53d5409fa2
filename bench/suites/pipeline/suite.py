"""Measures the pipeline: throughput against a bare loop and other task queues, and latency, warm and cold.

python -m bench pipeline [--quick]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.suites.pipeline.latency import cold, warm
from bench.suites.pipeline.throughput import throughput
from tests.support import running_system


def run(*, quick: bool = False) -> Iterator[Figure]:
    """Measure pictures per second, and the seconds of one picture."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as name:
        folder = Path(name)
        with running_system.running(folder / "cold", linger_seconds=0) as stack:
            yield from cold(stack)
        with running_system.running(folder / "home") as stack:
            yield from warm(stack)
            yield from throughput(stack, folder, quick=quick)
