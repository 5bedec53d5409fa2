"""What answered requests have left to send: bytes that the kernel holds for clients that read slowly.

A process may end before they are sent, as the kernel goes on; but where its network ends with it, as in a pod, they are
lost.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Connections of this network namespace, as Linux tells them; elsewhere nothing is waited for."""

LISTENING: Final = "0A"

LOOK_SECONDS: Final = 0.05


def unsent(port: int) -> int:
    """Return how many bytes are still to be sent, or to be acknowledged, from a local port."""
    lines = (line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:])
    return sum(
        int(queues.partition(":")[0], 16)
        for _, local, _, state, queues, *_ in lines
        if int(local.rpartition(":")[2], 16) == port and state != LISTENING
    )


async def all_sent(port: int, until: float) -> bool:
    """Wait until nothing is left to send from a port, or until a monotonic time; return whether all is sent."""
    while left := unsent(port):
        if time.monotonic() > until:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return not left
