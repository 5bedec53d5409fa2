"""Prepares Dagster's folder and database on one machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg

from imagomortis.errors import Unavailable
from imagomortis_cli.machine import shipped

STAMP = "migrated"
"""The file that names the version of Dagster that last updated its tables."""


def place(home: Path) -> Path:
    """Write ``dagster.yaml`` into the folder ``dagster`` in ``home``; return the folder."""
    folder = home.resolve() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    text = shipped.file("dagster.yaml").read_text(encoding="utf-8")
    (folder / "dagster.yaml").write_text(text, encoding="utf-8")
    return folder


def migrate(folder: Path, database: str, environment: Mapping[str, str]) -> None:
    """Update Dagster's tables to the installed version, unless that was done; raise Unavailable if that fails.

    ``database`` is a libpq URL. The code server creates the tables of a new database, and the other parts wait for its
    start.
    """
    stamp = folder / STAMP
    current = version("dagster")
    if _has_tables(database) and not (stamp.is_file() and stamp.read_text() == current):
        _run(["dagster", "instance", "migrate"], environment, "Dagster could not update its database")
    stamp.write_text(current)


def end_leftover_runs(database: str, environment: Mapping[str, str]) -> None:
    """Mark runs as failed that were at work when the stack was stopped; raise Unavailable if that fails."""
    if has_runs_at_work(database):  # usually there are none, and Dagster takes seconds to find that out
        _run(["imagomortis_pipeline.upkeep.recovery"], environment, "The runs that were left could not be ended")


def has_runs_at_work(database: str) -> bool:
    """Return whether Dagster's database, given as a libpq URL, lists runs at work."""
    with psycopg.connect(database, connect_timeout=10) as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING'))"
        ).fetchone()
    return bool(row and row[0])


def _run(module: list[str], environment: Mapping[str, str], failure: str) -> None:
    command = [sys.executable, "-P", "-m", *module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise Unavailable(f"{failure}:\n{last}")


def forget_migration(home: Path) -> None:
    """Let the next start check Dagster's tables again, because they came from elsewhere."""
    (home / "dagster" / STAMP).unlink(missing_ok=True)


def _has_tables(database: str) -> bool:
    with psycopg.connect(database, connect_timeout=10) as connection:
        row = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    return bool(row and row[0])
