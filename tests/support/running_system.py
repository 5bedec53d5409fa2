"""A whole system on one machine, started as a person does, on ports and in a folder of its own."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.lifecycle import State
from tests.support import failures, web
from tests.support.waiting import wait_until

PORTS = ("WEB", "API", "UPLOAD", "DAGSTER", "CODE", "API_METRICS", "UPLOAD_METRICS", "PIPELINE_METRICS")
ROOT = Path(__file__).parents[2]
IPV4, IPV6 = "127.0.0.1", "::1"


def _is_here(address: str) -> bool:
    """Tell whether this machine has the address; many containers have no IPv6."""
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError:
        return False
    return True


LOOPBACKS = tuple(filter(_is_here, (IPV4, IPV6)))
"""The loopback addresses that this machine has, IPv4 first."""

_given = set[int]()


class Stack:
    """A running system: its addresses, its processes, and what a person does with it."""

    def __init__(self, home: Path, **settings: object) -> None:
        """Take the folder of its state, and settings by their names."""
        self.home = home
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._settings = {f"IMAGOMORTIS_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = home.with_name(f"{home.name}.log")
        failures.ask(self)

    def testify(self, folder: Path) -> None:
        """Copy the output of `imagomortis up`."""
        if self.log.exists():
            shutil.copy(self.log, folder / f"{self.home.parent.name}-{self.log.name}")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `imagomortis up`."""
        ports = {f"IMAGOMORTIS_{name}_PORT": str(port) for name, port in self.ports.items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "DATABASE_URL"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', '')}"
        return {**inherited, "PATH": path, "IMAGOMORTIS_HOME": str(self.home), **ports, **self._settings}

    @property
    def pid(self) -> int:
        """The process id of `imagomortis up`."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether `imagomortis up` was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, seconds: float = 400) -> float:
        """Start everything and wait until it answers; return how many seconds that took."""
        began = time.monotonic()
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("imagomortis")), "up", "--json"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )
        process = self._process

        def is_ready() -> bool:
            assert process.poll() is None, f"the system did not start:\n{self.tail()}"
            return b'"all ready"' in self.log.read_bytes()[offset:]

        wait_until(is_ready, seconds, self.tail)
        return time.monotonic() - began

    def stop(self, seconds: float = 120) -> float:
        """End everything as Ctrl-C does; return how many seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(seconds)
        return time.monotonic() - began

    def kill(self) -> None:
        """End the whole tree at once, as a power cut does."""
        for process in self.processes():
            with_suppressed(process.kill)
        assert self._process is not None
        self._process.wait(60)

    def processes(self) -> list[psutil.Process]:
        """Every process of the system, `up` first."""
        up = psutil.Process(self.pid)
        return [up, *up.children(recursive=True)]

    def commands(self) -> list[tuple[psutil.Process, str]]:
        """Every process that is still there, with its command line."""
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                found.append((process, " ".join(process.cmdline())))
        return found

    def tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def variables(self) -> dict[str, str]:
        """What the file says that `up` offers to a shell."""
        words = shlex.split((self.home / "env").read_text())
        return dict(word.split("=", 1) for word in words if "=" in word)

    def command(self, *words: str, seconds: float = 400) -> subprocess.CompletedProcess[str]:
        """Run a command with the system's variables, as in a shell that read them."""
        return subprocess.run(
            words,
            env={**self.environment, **self.variables()},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def url(self, part: str, path: str = "") -> str:
        """The address of WEB, API, UPLOAD or DAGSTER."""
        return f"http://127.0.0.1:{self.ports[part]}{path}"

    def ask_dagster(self, query: str, **variables: object) -> dict[str, Any]:
        """What Dagster's webserver answers to a query or a mutation of GraphQL."""
        answer = web.post(self.url("DAGSTER", "/graphql"), json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def catalog(self) -> Catalog:
        """The catalog, for a look behind the scenes."""
        return Catalog(self.variables()["DATABASE_URL"])

    def upload(self, data: bytes, filename: str = "picture.jpg", **fields: str) -> UUID:
        """Upload a picture; raises httpx's errors."""
        answer = web.post(self.url("UPLOAD", "/upload"), files={"file": (filename, data)}, data=fields)
        answer.raise_for_status()
        return UUID(answer.json()["uuid"])

    def info(self, image_id: UUID) -> dict[str, Any]:
        """Everything that the API tells of an image."""
        answer = web.get(self.url("API", f"/images/{image_id}/info"))
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def wait_until_ended(self, ids: Sequence[UUID], seconds: float = 300) -> dict[UUID, State]:
        """Wait until all of the images are done or failed; return their states."""
        states: dict[UUID, State] = {}

        def ended(catalog: Catalog) -> bool:
            with suppress(Unavailable):  # Postgres may be on its way back
                states.update(states_of(catalog, ids))
            return len(states) == len(ids) and set(states.values()) <= {State.DONE, State.FAILED}

        def tell() -> str:
            return f"of {len(ids)} images: {Counter(states.values())}\n{self.tail()}"

        with self.catalog() as catalog:
            wait_until(lambda: ended(catalog), seconds, tell)
        return states


def states_of(catalog: Catalog, ids: Sequence[UUID]) -> dict[UUID, State]:
    """The states of those images that are in the catalog."""
    with catalog.database.connection() as connection:
        rows = connection.execute("SELECT id, state FROM images WHERE id = ANY(%s)", [list(ids)]).fetchall()
    return {row["id"]: State(row["state"]) for row in rows}


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, and that nobody else gets meanwhile.

    Each process of pytest-xdist has a range of its own, and in it each of Playwright's two workers, below the ports
    that the kernel gives to outgoing connections.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 3
    of_page = int(os.environ.get("TEST_PARALLEL_INDEX", "0")) % 2
    first = 20_000 + 2_000 * (2 * process + of_page)
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(first, first + 2_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                found.append(port)
    return found


def with_suppressed(action: Any) -> None:
    """Do something to a process that may be gone."""
    with suppress(psutil.NoSuchProcess):
        action()


@contextmanager
def suspended(*heads: psutil.Process) -> Iterator[None]:
    """Let processes, and all that they have started, stand still for the length of a block."""
    stopped: list[psutil.Process] = []

    def suspend(process: psutil.Process) -> None:
        process.suspend()
        stopped.append(process)
        for child in process.children():  # it starts no others any more
            with_suppressed(partial(suspend, child))

    try:
        for head in heads:
            with_suppressed(partial(suspend, head))
        yield
    finally:
        for process in stopped:
            with_suppressed(process.resume)


@contextmanager
def running(home: Path, patience: float = 400, **settings: object) -> Iterator[Stack]:
    """A system for the length of a block, which may take so many seconds to start."""
    stack = Stack(home, **settings)
    try:
        stack.start(patience)
        yield stack
    finally:
        if stack.is_running:
            stack.stop()


def json_lines(text: str) -> list[dict[str, Any]]:
    """The lines of a log that are JSON objects."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def peak_memory(pid: int) -> int:
    """Return the largest resident memory that a process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, "the process has ended"
    return int(found[1]) * 1024
