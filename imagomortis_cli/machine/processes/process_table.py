"""Finds the processes of this machine that belong to us, by the kernel's data about them, and ends them.

A pid alone proves nothing, because numbers are reused. Without ``/proc`` nothing is found.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagomortis.errors import Unavailable

PROC = Path("/proc")
_KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A process by its pid. Its properties are empty or False if it is gone, or if we are not allowed to read them."""

    pid: int

    @property
    def name(self) -> str:
        """The first 15 bytes of the program's name."""
        return self._read("comm").rstrip(b"\n").decode(errors="replace")

    @property
    def parent(self) -> int:
        """The pid of its parent; 0 if it is gone."""
        words = self._status()
        return int(words[1]) if words else 0

    @property
    def is_alive(self) -> bool:
        """Whether it exists, and is not a zombie that its parent has not collected yet."""
        words = self._status()
        return bool(words) and words[0] not in {b"Z", b"X"}

    @property
    def environment(self) -> frozenset[bytes]:
        """The environment with which it was started, as ``NAME=value``."""
        return frozenset(self._read("environ").split(b"\0"))

    def works_in(self, folder: Path) -> bool:
        """Return whether its working folder is ``folder``."""
        try:
            return (PROC / str(self.pid) / "cwd").samefile(folder)
        except OSError:
            return False

    def _status(self) -> list[bytes]:
        """Return the words of ``stat`` after the name, which can contain anything."""
        return self._read("stat").rpartition(b")")[2].split()

    def _read(self, name: str) -> bytes:
        try:
            return (PROC / str(self.pid) / name).read_bytes()
        except OSError:
            return b""


def find(belongs: Callable[[Process], bool]) -> set[int]:
    """Return the pids of the living processes, except this one, for which ``belongs`` is true."""
    return {process.pid for process in _all() if belongs(process) and process.is_alive}


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal; a process that is gone needs none."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def end(search: Callable[[], Iterable[int]], seconds: float = 5) -> set[int]:
    """End the processes that ``search`` finds until it finds none; return their pids.

    They get SIGTERM at first, and SIGKILL after ``seconds``. Raises Unavailable for a process that cannot be killed: it
    is another user's, or hangs in the kernel.
    """
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while found := set(search()):
        late = time.monotonic() > deadline
        if time.monotonic() > deadline + _KILL_SECONDS:
            raise Unavailable(f"The processes {sorted(found)} of an earlier run cannot be ended: end them by hand.")
        for pid in found if late else found - ended:
            send(pid, signal.SIGKILL if late else signal.SIGTERM)
        ended |= found
        time.sleep(0.02)
    return ended


def _all() -> Iterator[Process]:
    if PROC.is_dir():
        pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
        yield from (Process(pid) for pid in pids if pid != os.getpid())
