"""Guards the folder of all state on one machine: which process holds it, and which leftovers to end."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagomortis import privacy
from imagomortis.errors import Conflict
from imagomortis_cli.machine.processes import process_table

FILE: Final = "up.json"
"""The file in which the holder of a home notes itself."""

MARK: Final = "IMAGOMORTIS_SUPERVISED_IN"
"""The variable that marks every process of a home's stack. People do not set it."""


@contextmanager
def hold(home: Path) -> Iterator[Path]:
    """Hold the home, and yield the file for `tell`; raise Conflict, which says where, if another process holds it.

    Files that are written in the block can be read by the user only.
    """
    make(home)
    path = home / FILE
    with privacy.kept(), path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(_already(home, path.read_text())) from None
        tell(path, {})
        try:
            yield path
        finally:
            path.write_text("")


def make(home: Path) -> None:
    """Create the home if it does not exist: private to its user, but root's lets Postgres's user pass through."""
    home.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)


@dataclass(frozen=True)
class Holder:
    """The process that holds a home, as it noted itself, and the addresses of its parts once they answer."""

    pid: int
    addresses: Mapping[str, str]


def holder(home: Path) -> Holder | None:
    """Return the process that holds the home, or was killed while it did; None if none is noted."""
    try:
        found = json.loads((home / FILE).read_text())
    except (OSError, ValueError):  # it does not exist, or is being written at this moment
        return None
    return Holder(found["pid"], found["addresses"])


def is_held(home: Path) -> bool:
    """Return whether a process holds the home now."""
    try:
        with (home / FILE).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def tell(path: Path, addresses: Mapping[str, str]) -> None:
    """Note for other processes that this one holds the home, and the addresses of its parts once they answer."""
    path.write_text(json.dumps({"pid": os.getpid(), "addresses": dict(addresses)}))


def mark(home: Path) -> dict[str, str]:
    """Return the variable, with its value, that marks the processes of this home's stack."""
    return {MARK: str(home.resolve())}


def marked(home: Path) -> set[int]:
    """Return the processes of this home's stack, except Postgres, which hides its environment."""
    wanted = {f"{name}={value}".encode() for name, value in mark(home).items()}
    return process_table.find(lambda process: wanted <= process.environment)


def end_leftovers(home: Path, seconds: float = 3) -> set[int]:
    """End the processes that a killed supervisor left behind, and no others; return their pids."""
    return process_table.end(lambda: marked(home), seconds)


def _already(home: Path, text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:  # it is being written at this moment
        return f"ImagoMortis is already running on {home}."
    where = "".join(f"\n  {name}: {address}" for name, address in found["addresses"].items())
    rest = f":{where}" if where else " and still starting."
    return f"ImagoMortis is already running on {home} (process {found['pid']}){rest}"
