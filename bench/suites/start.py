"""Measures the start: from a built state to ready, and from a fresh clone to the first processed picture.

python -m bench start [--clone]
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from bench.figure import Figure
from tests.support.pictures import photo
from tests.support.running_system import ROOT, Stack

STARTS: Final = 3

CLONE_SECONDS: Final = 600.0
"""The time limit of a clone."""


def run(*, clone: bool = False) -> Iterator[Figure]:
    """Measure starts with and without earlier data and, with ``clone``, from a fresh clone."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as name:
        folder = Path(name)
        stacks = [Stack(folder / f"home-{number}") for number in range(STARTS)]
        first, again = ([_started(stack) for stack in stacks] for _ in range(2))
        yield Figure("`imagomortis up` to ready, median", statistics.median(again), "s", at_most=12)
        yield Figure("`imagomortis up` to ready for the first time, median", statistics.median(first), "s", at_most=12)
        if clone:
            yield _fresh_clone(folder)
        else:
            print("start: a fresh clone was not timed, as it installs everything; --clone does it.", file=sys.stderr)


def _started(stack: Stack) -> float:
    taken = stack.start()
    stack.stop()
    return taken


def _fresh_clone(folder: Path) -> Figure:
    data = photo(1600, 1067)
    stack = Stack(folder / "clone-home")
    began = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")], check=True)
    with _make_up(folder / "clone", stack) as up:
        _upload(stack, data, up, began + CLONE_SECONDS)
        taken = time.monotonic() - began
    return Figure("fresh clone to the first processed picture", taken, "s", at_most=180)


@contextmanager
def _make_up(clone: Path, stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """Run `make up` in a clone during the block, on the ports of ``stack``."""
    variables = {name: value for name, value in stack.environment.items() if name != "PATH"}
    variables["PATH"] = os.environ["PATH"]  # without the tools of this checkout's .venv
    with stack.log.open("wb") as log:
        process = subprocess.Popen(
            ["make", "up"], cwd=clone, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


def _upload(stack: Stack, data: bytes, up: subprocess.Popen[bytes], until: float) -> None:
    """Upload a picture as soon as possible, and wait until it is done."""
    image_id, done = None, False
    while not done:
        if up.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"The clone did not process a picture:\n{stack.tail()}")
        with suppress(httpx.HTTPError):  # one part after the other gets ready
            image_id = image_id or stack.upload(data)
            done = stack.info(image_id)["state"] == "done"
        time.sleep(0.1)
