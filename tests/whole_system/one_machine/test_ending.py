"""What a running system does when somebody starts it twice, kills its parts, and ends it."""

from __future__ import annotations

import socket

import psutil
import pytest

from imagomortis.lifecycle import State
from tests.imagomortis_cli.machine.test_up import PARTS, left_of, picture, up
from tests.support import web
from tests.support.running_system import Stack
from tests.support.waiting import wait_until
from tests.whole_system.one_machine.test_upkeep import imagomortis, levels, mends

pytestmark = pytest.mark.stack


def test_runs_once(stack: Stack) -> None:
    second = up(stack)
    assert second.returncode == 1
    assert f"already running on {stack.home} (process {stack.pid})" in second.stderr
    assert f"http://localhost:{stack.ports['WEB']}" in second.stderr
    assert web.get(stack.url("WEB")).status_code == 200
    assert web.get(stack.url("WEB", "/api/images")).status_code == 200
    assert stack.home.joinpath("env").stat().st_mode & 0o077 == 0


def test_every_part_that_dies_is_started_again(stack: Stack) -> None:
    before = stack.log.stat().st_size
    for names in (PARTS.keys() - {"postgres"}, {"postgres"}):
        for found in [part(stack, name) for name in names]:
            found.kill()
        for name in names:
            ready = f'"event": "ready", "name": "{name}"'
            wait_until(lambda ready=ready: ready in log_after(stack, before), 300, stack.tail)  # type: ignore[misc]
    assert log_after(stack, before).count('"cause": "signal SIGKILL"') == len(PARTS)
    uploaded = stack.upload(picture())
    assert stack.wait_until_ended([uploaded]) == {uploaded: State.DONE}


def part(stack: Stack, name: str) -> psutil.Process:
    """The process of a part, which is a child of `up`."""
    [found] = [child for child in psutil.Process(stack.pid).children() if PARTS[name] in " ".join(child.cmdline())]
    return found


def log_after(stack: Stack, offset: int) -> str:
    """What the system wrote after so many bytes of its log."""
    return stack.log.read_bytes()[offset:].decode(errors="replace")


def test_ends_completely(stack: Stack) -> None:
    stack.stop()
    assert left_of(stack) == []
    for name, port in stack.ports.items():
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            raise AssertionError(f"{name} still listens")


def test_its_end_is_told_by_the_doctor(stack: Stack) -> None:
    if stack.is_running:
        stack.stop()
    # at the usual port there may be another system
    port = {"IMAGOMORTIS_WEB_PORT": str(stack.ports["WEB"])}
    only = [word for name in ("services", "database", "leases") for word in ("--only", name)]
    code, document = imagomortis(stack, "doctor", *only, **port)
    assert (code, levels(document)) == (1, {"services": "trouble", "database": "trouble", "leases": "unseen"})
    assert all(mend.endswith("imagomortis up") for mend in mends(document).values())
