"""Runs a service during a measurement."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def running(
    module: str, port: int, *arguments: str, settings: Mapping[str, object] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python -m module`` during the block, which begins when it listens on ``port`` of loopback."""
    environment = os.environ | {name: str(value) for name, value in (settings or {}).items()}
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _await(port, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} ended with code {process.returncode}.")
