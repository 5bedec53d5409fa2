"""The supervisor: order of start, restart of what dies, and an end that is polite first and certain at last."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagomortis import logs
from imagomortis.errors import Unavailable
from imagomortis_cli.machine import home
from imagomortis_cli.machine.processes.supervisor import Part, RestartPolicy
from tests.imagomortis_cli.machine.processes.programs import QUICK, program, ready_when, supervised
from tests.support.waiting import wait_for

pytestmark = pytest.mark.anyio

FOREVER = "import time; print('up'); time.sleep(100)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(100)"


def say_when_asked(word: str, seconds: float = 0) -> str:
    """Return a program that says a word when it is asked to end, and ends some seconds later."""
    answer = f"print({word!r}); time.sleep({seconds}); sys.exit(0)"
    return (
        "import signal, sys, time\n"
        f"def answer(*_): {answer}\n"
        "signal.signal(signal.SIGTERM, answer); signal.signal(signal.SIGINT, answer)\n"
        "print('up'); time.sleep(100)"
    )


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [getattr(record, logs.FIELDS) for record in caplog.records if record.getMessage() == event]


async def test_starts_a_part_when_those_that_it_needs_are_ready(tmp_path: Path) -> None:
    order: list[str] = []
    first = program(
        "first",
        f"import time; time.sleep(0.3); open({str(tmp_path / 'ready')!r}, 'w'); time.sleep(100)",
        ready=ready_when(tmp_path / "ready"),
        before=lambda: order.append("before first"),
        after=lambda: order.append("after first"),
    )
    second = program("second", FOREVER, needs=frozenset({"first"}), before=lambda: order.append("before second"))
    async with supervised([second, first]) as (supervisor, _):
        await supervisor.start()
    assert order == ["before first", "after first", "before second"]


async def test_restarts_what_dies_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    count = tmp_path / "count"
    mortal = (
        "import os, signal, sys, time\n"
        f"with open({str(count)!r}, 'a') as file: file.write('x')\n"
        f"n = os.path.getsize({str(count)!r}); print('life', n); time.sleep(0.1)\n"
        "if n == 1: sys.exit(3)\n"
        "if n == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(100)"
    )
    async with supervised([program("mortal", mortal)]) as (supervisor, shown):
        await supervisor.start()
        assert await shown.wait_for("mortal", 3) == ["life 1", "life 2", "life 3"]
    deaths = events(caplog, "died")
    assert [death["cause"] for death in deaths] == ["exit code 3", "signal SIGKILL"]
    assert [death["restart_in"] for death in deaths] == [0.05, 0.1], "each pause is twice the one before"


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: descendants are found by /proc")
async def test_restarts_what_dies_although_a_descendant_holds_its_output(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys\n"
        "orphan = [sys.executable, '-c', 'import time; time.sleep(100)']\n"
        "print(subprocess.Popen(orphan, start_new_session=True).pid)"
    )
    part = program("parent", text, environment=home.mark(tmp_path))
    async with supervised([part], strays=lambda: home.marked(tmp_path)) as (supervisor, shown):
        await supervisor.start()
        orphans = await shown.wait_for("parent", 2)
        assert all(psutil.pid_exists(int(pid)) for pid in orphans)


async def test_does_what_comes_before_each_start_and_tries_again_when_that_fails() -> None:
    tries: list[int] = []

    def before() -> None:
        tries.append(1)
        if len(tries) == 2:
            raise Unavailable("not now")

    async with supervised([program("part", "print('up'); import time; time.sleep(0.05)", before=before)]) as (
        supervisor,
        shown,
    ):
        await supervisor.start()
        await shown.wait_for("part", 2)
    assert len(tries) >= 3


async def test_a_pause_is_short_again_after_a_healthy_life(caplog: pytest.LogCaptureFixture) -> None:
    limits = RestartPolicy(ready=5, first_pause=0.02, longest_pause=9, healthy=0.0)
    part = program("part", "print('up'); import time; time.sleep(0.05)")
    async with supervised([part], limits=limits) as (supervisor, shown):
        await supervisor.start()
        await shown.wait_for("part", 5)
    assert {death["restart_in"] for death in events(caplog, "died")} == {0.02}


async def test_gives_up_on_a_part_that_dies_before_it_was_ever_ready(tmp_path: Path) -> None:
    broken = program("broken", "print('no port'); raise SystemExit(2)", ready=ready_when(tmp_path / "never"))
    async with supervised([broken, program("other", FOREVER)]) as (supervisor, _):
        with pytest.raises(Unavailable, match=r"(?s)`broken` died 3 times .exit code 2.*no port"):
            await supervisor.start()


async def test_gives_up_on_a_part_that_is_never_ready(tmp_path: Path) -> None:
    slow = program("slow", FOREVER, ready=ready_when(tmp_path / "never"))
    async with supervised([slow], limits=RestartPolicy(ready=3)) as (supervisor, _):
        with pytest.raises(Unavailable, match=r"(?s)`slow` was not ready within 3 seconds.*up"):
            await supervisor.start()


async def test_ends_all_politely_and_those_marked_last_after_the_others() -> None:
    database = program("database", say_when_asked("database ends"), last=True)
    service = program("service", say_when_asked("service ends", seconds=0.3), needs=frozenset({"database"}))
    async with supervised([database, service]) as (supervisor, shown):
        await supervisor.start()
        await shown.wait_for("service", 1)
        await shown.wait_for("database", 1)
    assert shown.lines[-2:] == [("service", "service ends"), ("database", "database ends")]


async def test_kills_what_does_not_end_in_time() -> None:
    ladder = ((0.0, signal.SIGTERM), (0.3, signal.SIGKILL))
    async with supervised([program("stubborn", STUBBORN, ladder=ladder)]) as (supervisor, shown):
        await supervisor.start()
        await shown.wait_for("stubborn", 1)
        began = time.monotonic()
        await supervisor.stop()
        assert 0.25 < time.monotonic() - began < 30


async def test_a_second_signal_ends_everything_at_once() -> None:
    ladder = ((0.0, signal.SIGTERM), (60.0, signal.SIGKILL))
    async with supervised([program("stubborn", STUBBORN, ladder=ladder)]) as (supervisor, shown):
        await supervisor.start()
        await shown.wait_for("stubborn", 1)
        hurry = asyncio.Event()
        began = time.monotonic()
        stopping = asyncio.create_task(supervisor.stop(hurry))
        await asyncio.sleep(0.1)
        hurry.set()
        await stopping
        assert time.monotonic() - began < 30


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: descendants are found by /proc")
async def test_ends_descendants_that_have_left_their_group(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(100)']\n"
        "print(subprocess.Popen(sleep, start_new_session=True).pid); time.sleep(100)"
    )
    part = program("parent", child, environment=home.mark(tmp_path))
    async with supervised([part], strays=lambda: home.marked(tmp_path)) as (supervisor, shown):
        await supervisor.start()
        [pid] = await shown.wait_for("parent", 1)
        assert psutil.pid_exists(int(pid))
    assert not home.marked(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: descendants are found by /proc")
async def test_processes_started_during_the_end_are_ended_politely_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis_cli.machine.processes.supervisor.PATIENCE", 60.0)
    parent = (
        "import signal, subprocess, sys, time\n"
        f"late = [sys.executable, '-c', {say_when_asked('the late one ends')!r}]\n"
        "def answer(*_):\n"
        "    time.sleep(0.3)\n"
        "    subprocess.Popen(late, start_new_session=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, answer); print('up'); time.sleep(100)"
    )
    ladder = ((0.0, signal.SIGTERM), (60.0, signal.SIGKILL))
    part = program("parent", parent, environment=home.mark(tmp_path), ladder=ladder)
    async with supervised([part], strays=lambda: home.marked(tmp_path)) as (supervisor, shown):
        await supervisor.start()
        await shown.wait_for("parent", 1)
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 60, "nothing had to be killed"
    assert not home.marked(tmp_path)


async def test_stops_in_the_middle_of_a_start(tmp_path: Path) -> None:
    part = program("slow", FOREVER, ready=ready_when(tmp_path / "never"))
    async with supervised([part], limits=RestartPolicy(ready=100)) as (supervisor, shown):
        starting = asyncio.create_task(supervisor.start())
        await shown.wait_for("slow", 1)
        starting.cancel()
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 30


async def test_shows_long_lines_in_pieces_and_the_last_line_without_its_end() -> None:
    text = "import sys, time; sys.stdout.write('a' * 100_000 + '\\nlast'); sys.stdout.flush(); time.sleep(0.3)"
    async with supervised([program("part", text)]) as (supervisor, shown):
        await supervisor.start()
        lines = await shown.wait_for("part", 5)
    pieces = lines[: lines.index("last")]
    assert len(pieces) > 1
    assert "".join(pieces) == "a" * 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: the death signal is Linux's")
async def test_parts_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "supervise.py"
    script.write_text(
        "import asyncio\n"
        "from tests.imagomortis_cli.machine.processes.programs import program, supervised\n"
        "async def main():\n"
        f"    async with supervised([program('part', {FOREVER!r})]) as (supervisor, shown):\n"
        "        await supervisor.start()\n"
        "        await shown.wait_for('part', 1)\n"
        "        print('started', flush=True)\n"
        "        await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    supervisor = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=PIPE, env=environment)
    assert supervisor.stdout
    assert await supervisor.stdout.readline() == b"started\n"
    [part] = psutil.Process(supervisor.pid).children()
    supervisor.kill()
    await supervisor.wait()
    await wait_for(lambda: not part.is_running())


async def test_a_program_that_is_not_there_is_said_so() -> None:
    part = Part("absent", ["/no/such/program"], {}, ready=ready_when(Path("/never")))
    async with supervised([part], limits=QUICK) as (supervisor, _):
        with pytest.raises(Unavailable, match="/no/such/program"):
            await supervisor.start()
