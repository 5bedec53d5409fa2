"""The system in the background: found if it runs, started by `imagomortis up` if not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis_cli import home
from imagomortis_cli.client import Client, NotReachable

START_SECONDS: Final = 180.0
"""How long a first start may take: it makes the database and loads everything for the first time."""

STOP_SECONDS: Final = 20.0

LOG: Final = "up.log"


@dataclass(frozen=True)
class Started:
    """A system that was started here."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process of `up`; a signal to it ends everything."""
        return self.process.pid

    def stop(self) -> None:
        """End the system, and return when it has ended."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ensure(settings: Settings, note: Callable[[str], object]) -> Started | None:
    """Start the system unless it answers; return what was started, which goes on when this process ends.

    Raises NotReachable if it should be elsewhere, and Unavailable, with its last lines, if it does not start.
    """
    try:
        with Client.of(settings) as client:
            client.get("session")
    except NotReachable:
        if settings.url:
            raise
    else:
        return None
    began = time.monotonic()
    started = _start(settings)
    note(f"Starting the system (log: {started.log}) ...")
    try:
        _wait(settings, started)
    except BaseException:
        started.stop()
        raise
    note(f"It is ready after {time.monotonic() - began:.1f} s.")
    return started


def _start(settings: Settings) -> Started:
    settings.home.mkdir(parents=True, exist_ok=True)
    log = settings.home / LOG
    with log.open("wb") as output:
        # a session of its own, so that it outlives this terminal and its Ctrl-C
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "imagomortis_cli.main", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(process, log)


def _wait(settings: Settings, started: Started) -> None:
    """Wait until the system notes its addresses, which it does when every part answers."""
    until = time.monotonic() + START_SECONDS
    while not ((found := home.holder(settings.home)) and found.pid == started.pid and found.addresses):
        if started.process.poll() is not None or time.monotonic() > until:
            last = "\n".join(started.log.read_text(errors="replace").splitlines()[-12:])
            raise Unavailable(f"The system did not start. The last lines in {started.log}:\n{last}")
        time.sleep(0.1)
