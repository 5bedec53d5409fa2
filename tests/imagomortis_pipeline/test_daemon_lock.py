"""One of Dagster's daemons works at a time, whatever becomes of its connection."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline.daemon_lock import LOCK
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

WORKER = """
import sys, time
from imagomortis import logs
from imagomortis_pipeline import daemon_lock
logs.configure("scheduler")
daemon_lock.claim(sys.argv[1])
print("works", flush=True)
time.sleep(600)
"""

SECONDS = 120


class Daemon:
    """A process that writes lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Read its lines from now on."""
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, text: str) -> None:
        """Wait until it writes a line with a text."""
        while text not in self._lines.get(timeout=SECONDS):
            pass

    @property
    def is_silent(self) -> bool:
        return self._lines.empty()


@contextmanager
def running(*command: str, **variables: str) -> Iterator[Daemon]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, *command], env=environment, cwd=ROOT, text=True, **streams) as process:  # type: ignore[call-overload]
        try:
            yield Daemon(process)
        finally:
            process.kill()


def daemon(database: str) -> list[str]:
    return ["-c", WORKER, database]


def holder(connection: psycopg.Connection) -> int | None:
    """Return the process of Postgres that has the lock."""
    row = connection.execute(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [LOCK],
    ).fetchone()
    return row[0] if row else None


@pytest.fixture
def connection(empty_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_database, autocommit=True) as found:
        yield found


def test_a_second_daemon_works_when_the_first_is_gone(empty_database: str) -> None:
    with running(*daemon(empty_database)) as first:
        first.wait_for("works")
        with running(*daemon(empty_database)) as second:
            second.wait_for("another daemon works")
            assert second.is_silent
            first.process.kill()
            second.wait_for("works")


def test_a_daemon_ends_when_another_has_its_lock(empty_database: str, connection: psycopg.Connection) -> None:
    """As one that was cut off for so long that Postgres let go of its session."""
    with running(*daemon(empty_database)) as cut_off:
        cut_off.wait_for("works")
        pid = holder(connection)
        with psycopg.connect(empty_database, autocommit=True) as other:
            waiting = threading.Thread(target=other.execute, args=["SELECT pg_advisory_lock(%s)", [LOCK]])
            waiting.start()
            wait_until(lambda: is_awaited(connection))
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            waiting.join(SECONDS)
            cut_off.wait_for("replaced")
            assert cut_off.process.wait(SECONDS) == 1


def is_awaited(connection: psycopg.Connection) -> bool:
    query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    return connection.execute(query, [LOCK]).fetchone() is not None


def test_a_daemon_whose_connection_ended_goes_on(empty_database: str, connection: psycopg.Connection) -> None:
    with running(*daemon(empty_database)) as only:
        only.wait_for("works")
        pid = holder(connection)
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        wait_until(lambda: holder(connection) not in {pid, None})
        assert only.process.poll() is None


def test_dagsters_daemon_waits_for_the_lock(
    empty_database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    command = ["-m", "imagomortis_pipeline.dagster_internals.process", "scheduler", "dagster._daemon", "run"]
    variables = {"DAGSTER_HOME": str(tmp_path), "IMAGOMORTIS_DAGSTER_DATABASE_URL": for_dagster(empty_database)}
    with running(*command, "--empty-workspace", **variables) as found:
        found.wait_for("another daemon works")
        assert connection.execute("SELECT to_regclass('daemon_heartbeats')").fetchone() == (None,)
