"""Small programs that the supervisor's tests run, and what is needed around them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagomortis_cli.machine.processes import launch
from imagomortis_cli.machine.processes.supervisor import Part, RestartPolicy, Supervisor
from tests.support.waiting import wait_for

QUICK = RestartPolicy(ready=60, first_pause=0.05, longest_pause=0.2, healthy=1000)


async def at_once(_: float) -> bool:
    """Say that a part is ready as soon as it runs."""
    return True


def program(name: str, text: str, **changes: Any) -> Part:
    """Return a part that runs a Python program, as the stack runs its own."""
    command = launch.command([sys.executable, "-I", "-S", "-u", "-c", text])
    environment = {**os.environ, **changes.pop("environment", {})}
    return Part(name, command, environment, **{"ready": at_once, **changes})


@dataclass
class Shown:
    """What the parts said."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, part: str, line: str) -> None:
        self.lines.append((part, line))

    def of(self, part: str) -> list[str]:
        return [line for name, line in self.lines if name == part]

    async def wait_for(self, part: str, count: int) -> list[str]:
        """Wait until the part has said so many lines; return them."""
        return await wait_for(lambda: found if len(found := self.of(part)) >= count else [])


@asynccontextmanager
async def supervised(
    parts: Sequence[Part], strays: Callable[[], set[int]] = set, limits: RestartPolicy = QUICK
) -> AsyncIterator[tuple[Supervisor, Shown]]:
    """Run parts for the length of a block."""
    shown = Shown()
    supervisor = Supervisor(parts, shown, strays, limits)
    try:
        yield supervisor, shown
    finally:
        await supervisor.stop()


def ready_when(path: Path) -> Callable[[float], Any]:
    """Return a readiness that waits for a file."""

    async def ready(_: float) -> bool:
        return await asyncio.to_thread(path.exists)

    return ready
