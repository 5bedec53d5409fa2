"""Measures memory for a large picture, and processor time of the idle system.

python -m bench resources
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from bench.figure import Figure
from bench.suites.pipeline.system import await_idle
from imagomortis.lifecycle import State
from tests.support import running_system
from tests.support.pictures import photo
from tests.support.running_system import Stack, peak_memory

WIDTH: Final = 8660
HEIGHT: Final = 5774
"""Width and height of the large picture, in pixels."""

IDLE_SECONDS: Final = 60.0


def run() -> Iterator[Figure]:
    """Measure the peak memory of a worker and its child, and the idle system's share of a core."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as name, running_system.running(Path(name) / "home") as stack:
        yield from _memory(stack)
        yield _idleness(stack)


def _memory(stack: Stack) -> Iterator[Figure]:
    image_id = stack.upload(photo(WIDTH, HEIGHT))
    states = stack.wait_until_ended([image_id], 120)
    if states[image_id] is not State.DONE:
        raise RuntimeError(f"The large picture was not processed: {stack.info(image_id)}")
    child = _decoder_of_a_worker(stack)
    worker = child.parent()
    assert worker is not None
    peaks = {"worker": peak_memory(worker.pid) / 2**20, "child": peak_memory(child.pid) / 2**20}
    yield Figure("a JPEG of 50 megapixels: peak of worker and child", sum(peaks.values()), "MiB", at_most=600)
    for name, peak in peaks.items():
        yield Figure(f"  of it: the {name}", peak, "MiB")


def _decoder_of_a_worker(stack: Stack) -> psutil.Process:
    """Return the decoding child of the code server; other parts have children too."""
    [server] = [process for process, command in stack.commands() if "dagster api grpc" in command]
    [child] = [found for found in server.children(recursive=True) if "imagomortis.sandbox.child" in found.cmdline()]
    return child


def _idleness(stack: Stack) -> Figure:
    with stack.catalog() as catalog:
        await_idle(stack, catalog)
    time.sleep(5)  # what the last run left is tidied up
    before, began = _processor_seconds(stack), time.monotonic()
    time.sleep(IDLE_SECONDS)
    taken = _processor_seconds(stack) - before
    return Figure("the idle system", 100 * taken / (time.monotonic() - began), "% of a core", at_most=5)


def _processor_seconds(stack: Stack) -> float:
    """Return the processor seconds of every process so far, including ended children."""
    seconds = 0.0
    for process in stack.processes():
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])  # user, system, and both of its children
    return seconds
