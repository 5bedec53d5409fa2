"""Starts the system in the background with `imagomortis up`, unless it runs already."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from imagomortis import privacy
from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis_cli.machine import home
from imagomortis_cli.remote.client import Client, ConnectionLost, NotReachable, ServerProblem

START_SECONDS: Final = 180.0
"""How long a first start may take: it creates the database and loads everything for the first time."""

STOP_SECONDS: Final = 20.0

LOG: Final = "up.log"

_AWAY: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})
"""The status if a part behind the front door is not available, or if the part's database is not."""


@dataclass(frozen=True)
class Started:
    """A system that this process started."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process of `up`. A signal to it ends everything."""
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
    """Start the system unless it answers; return it if it was started. It outlives this process.

    If another process is starting it, wait for that. Raises NotReachable if the settings name another address, and
    Unavailable, with its last lines, if it does not start.
    """
    if settings.url:
        _ask(settings)
        return None
    if _await_other(settings, note) or _answers(settings):
        return None
    began = time.monotonic()
    started = _start(settings)
    note(f"Starting the system (log: {started.log}) ...")
    try:
        is_ours = _wait(settings, started)
    except BaseException:
        started.stop()
        raise
    if not is_ours:
        return ensure(settings, note)
    note(f"It is ready after {time.monotonic() - began:.1f} s.")
    return started


def _ask(settings: Settings) -> None:
    with Client.of(settings) as client:
        client.get("session")


def _answers(settings: Settings) -> bool:
    """Return whether a system answers that no process runs in the home, such as one in a cluster on this machine."""
    try:
        _ask(settings)
    except NotReachable:
        return False
    return True


def _await_other(settings: Settings, note: Callable[[str], object]) -> bool:
    """Wait until the system that another process runs in the home answers; return False if there is none."""
    until = time.monotonic() + START_SECONDS
    is_told = False
    while home.is_held(settings.home):
        found = home.holder(settings.home)
        if found and found.addresses and _is_ready(settings):
            return True
        if time.monotonic() > until:
            who = f" (process {found.pid})" if found else ""
            raise Unavailable(f"ImagoMortis runs on {settings.home}{who}, but did not get ready. See what it says.")
        if not is_told:
            note("The system is still starting ...")
            is_told = True
        time.sleep(0.1)
    return False


def _is_ready(settings: Settings) -> bool:
    """Return whether the parts of a running system answer; a part that died is restarted in a moment."""
    try:
        _ask(settings)
    except (NotReachable, ConnectionLost):
        return False
    except ServerProblem as error:
        if error.code not in _AWAY:
            raise
        return False
    return True


def _start(settings: Settings) -> Started:
    home.make(settings.home)
    log = settings.home / LOG
    with privacy.kept(), log.open("wb") as output:
        # a session of its own, so that it outlives this terminal and its Ctrl-C
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "imagomortis_cli.main", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(process, log)


def _wait(settings: Settings, started: Started) -> bool:
    """Wait until the system notes its addresses, once every part answers; return False if another one was faster."""
    until = time.monotonic() + START_SECONDS
    while not ((found := home.holder(settings.home)) and found.pid == started.pid and found.addresses):
        if started.process.poll() is not None and home.is_held(settings.home):
            return False
        if started.process.poll() is not None or time.monotonic() > until:
            last = "\n".join(started.log.read_text(errors="replace").splitlines()[-12:])
            raise Unavailable(f"The system did not start. The last lines in {started.log}:\n{last}")
        time.sleep(0.1)
    return True
