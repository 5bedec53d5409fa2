"""Measures the bytes that the kernel still has to send for answered requests.

When a process ends, the kernel usually goes on sending. But in a pod the network ends with the process, and the bytes
are lost.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Linux's tables of the connections in this network namespace. On other systems nothing is waited for."""

LISTENING: Final = "0A"

LOOK_SECONDS: Final = 0.05


def unsent(port: int) -> int:
    """Return how many bytes a local port still has to send, or to get acknowledged."""
    lines = (line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:])
    return sum(
        int(queues.partition(":")[0], 16)
        for _, local, _, state, queues, *_ in lines
        if int(local.rpartition(":")[2], 16) == port and state != LISTENING
    )


async def all_sent(port: int, until: float) -> bool:
    """Wait until a port has sent everything, or until a monotonic time; return whether everything is sent."""
    while left := unsent(port):
        if time.monotonic() > until:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return not left
