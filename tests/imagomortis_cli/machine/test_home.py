"""The folder of all state: one stack at a time, and nothing left of a killed one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagomortis.errors import Conflict
from imagomortis_cli.machine import home

linux = pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: leftovers are found by /proc")


def sleeper(environment: dict[str, str], first: str = "pass") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-S", "-c", f"import signal, time; {first}; print('up', flush=True); time.sleep(60)"]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    return process


def test_a_second_stack_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    with home.hold(tmp_path / "home") as holder:
        with pytest.raises(Conflict, match=f"process {os.getpid()}. and still starting"), home.hold(tmp_path / "home"):
            pass
        home.tell(holder, {"page": "http://localhost:30080"})
        with pytest.raises(Conflict, match="page: http://localhost:30080"), home.hold(tmp_path / "home"):
            pass


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_files_written_in_a_held_home_are_private(tmp_path: Path) -> None:
    with home.hold(tmp_path / "home") as holder:
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
    (tmp_path / "later").touch()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (holder, *tmp_path.iterdir())}
    # root's home lets Postgres's user through, and nobody look
    assert modes.pop("home") == (0o700 if os.geteuid() else 0o711)
    assert modes == {holder.name: 0o600, "file": 0o600, "folder": 0o700, "later": 0o644}


def test_a_home_can_be_held_again_after_its_holder_is_gone(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from imagomortis_cli.machine import home\n"
        f"with home.hold(Path({str(tmp_path)!r})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with home.hold(tmp_path):
        pass


def test_children_do_not_hold_the_home_for_a_dead_parent(tmp_path: Path) -> None:
    with home.hold(tmp_path):
        child = sleeper({})
    try:
        with home.hold(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


@linux
def test_ends_what_was_left_of_this_home_and_nothing_else(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "mine2"
    left = sleeper(home.mark(mine))
    foreign = sleeper(home.mark(other))
    try:
        assert home.end_leftovers(mine) == {left.pid}
        assert left.wait() < 0
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


@linux
def test_kills_leftovers_that_do_not_end_by_themselves(tmp_path: Path) -> None:
    stubborn = sleeper(home.mark(tmp_path), "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    assert home.end_leftovers(tmp_path, seconds=0.3) == {stubborn.pid}
    assert stubborn.wait() == -9
