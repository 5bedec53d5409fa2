"""A probe of the scheduler looks at the heartbeats that its daemon notes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres import PostgresRunStorage

from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_cli.upkeep.installation import heartbeat

Beat = Callable[[float], None]

UNDER_WAY = 100.0
"""Seconds for which the container has run."""


@pytest.fixture
def beat(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Beat:
    """Note a heartbeat, so many seconds old, in the database that the probe asks."""
    runs = PostgresRunStorage(for_dagster(empty_database), should_autocreate_tables=True)
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", for_dagster(empty_database))
    monkeypatch.setattr(heartbeat, "since_start", lambda: UNDER_WAY)
    return lambda age: runs.add_daemon_heartbeat(DaemonHeartbeat(time.time() - age, "SENSOR", "id", []))


def is_alive(monkeypatch: pytest.MonkeyPatch, *words: str) -> bool:
    monkeypatch.setattr("sys.argv", ["heartbeat", *words])
    try:
        heartbeat.main()
    except SystemExit:
        return False
    return True


@pytest.mark.parametrize(("age", "starts", "lives"), [(5, True, True), (200, False, True), (400, False, False)])
def test_a_start_is_seen_by_a_heartbeat_of_its_own(
    beat: Beat, monkeypatch: pytest.MonkeyPatch, age: float, starts: bool, lives: bool
) -> None:
    beat(age)
    assert is_alive(monkeypatch, "--since-start") == starts
    assert is_alive(monkeypatch) == lives


@pytest.mark.usefixtures("beat")
def test_a_daemon_without_any_heartbeat_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_alive(monkeypatch)
    assert not is_alive(monkeypatch, "--since-start")


def test_the_start_is_that_of_the_first_process_that_a_container_has() -> None:
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    program = "from imagomortis_cli.upkeep.installation.heartbeat import since_start; print(since_start())"
    said = subprocess.run([*inside, sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    # the machine tells when it started in whole seconds
    assert -1 <= float(said) < 20 < heartbeat.since_start()
