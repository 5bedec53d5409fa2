"""The start of the database's container, with a program of the test in the place of the server."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.manifests import base
from tests.support.waiting import wait_until

SERVER = """#!/bin/sh
echo $$ > "$PGDATA/postmaster.pid"
echo started >> "$PGDATA/starts"
exec sleep 600
"""


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The folder of a database."""
    (tmp_path / "docker-entrypoint.sh").write_text(SERVER)
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)
    (tmp_path / "json.sed").write_text(base().one("ConfigMap", "postgres")["data"]["json.sed"])
    (tmp_path / "data").mkdir()
    return tmp_path


@contextmanager
def container(volume: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run what the manifest has as the container's command."""
    (spec,) = base().pod("postgres").main
    script = spec["command"][2].replace("/var/lib/postgresql", str(volume))
    script = script.replace("/etc/imagomortis/json.sed", str(volume / "json.sed"))
    environment = {"PATH": f"{volume}:{os.environ['PATH']}", "PGDATA": str(volume / "data")}
    with (volume / name).open("wb") as log:
        command = ["bash", "-c", script, "postgres"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End all processes of a container, as its node's power failure does."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def starts(volume: Path) -> int:
    log = volume / "data" / "starts"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_second_server_waits_until_the_first_is_gone(volume: Path) -> None:
    """It leaves the first one's pid file alone, by which Postgres knows that a server is there."""
    with container(volume, "first") as first:
        wait_until(lambda: starts(volume) == 1)
        pid = (volume / "data" / "postmaster.pid").read_text()
        with container(volume, "second"):
            wait_until(lambda: "another server has this volume" in (volume / "second").read_text())
            assert (volume / "second").read_text().startswith('{"level":"info","part":"postgres","event":"another')
            assert (volume / "data" / "postmaster.pid").read_text() == pid
            assert starts(volume) == 1
            end(first)
            wait_until(lambda: starts(volume) == 2)


def test_a_server_that_waits_ends_when_it_is_told_to(volume: Path) -> None:
    with container(volume, "first"):
        wait_until(lambda: starts(volume) == 1)
        with container(volume, "second") as second:
            wait_until(lambda: "another server has this volume" in (volume / "second").read_text())
            second.terminate()
            assert second.wait(120) == 0
