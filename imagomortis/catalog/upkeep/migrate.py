"""Migrates the schema of a database to this version."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Final

import psycopg

from imagomortis.catalog import migrations
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log

log = Log(__name__)

LOCK = 4_242_001
"""The advisory lock of a migration: one process at a time migrates."""

BRIEFLY: Final = "SET LOCAL lock_timeout = '2s'"
"""The time for which a step, and all statements queued after it, can wait for a table."""

PAUSE_SECONDS: Final = 3.0
"""The time before a step tries again, so that other statements go first."""

TELL_SECONDS: Final = 60.0
"""The time between two log lines of a waiting step."""


def steps() -> list[str]:
    """Return the names of this version's steps, in order."""
    return sorted(file.name for file in files(migrations).iterdir() if file.name.endswith(".sql"))


def migrate(conninfo: str) -> list[str]:
    """Apply the steps that the database does not have yet, each in a transaction, and return their names.

    Raises ConfigurationError if the database has steps that this version does not know.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        if unknown := sorted(known - set(steps())):
            raise ConfigurationError(
                f"The database was migrated by a newer version of ImagoMortis ({', '.join(unknown)}). "
                "Start that version or a later one, or restore a backup made by this one."
            )
        fresh = [step for step in steps() if step not in known]
        for step in fresh:
            _apply_patiently(connection, step)
            log.info("migrated", step=step)
    return fresh


def _apply_patiently(connection: psycopg.Connection, step: str) -> None:
    """Apply a step in a transaction; retry it while a backup or another client locks a table that it changes."""
    told_at = float("-inf")
    while True:
        try:
            with connection.transaction():
                connection.execute(BRIEFLY)
                connection.execute((files(migrations) / step).read_bytes())
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", [step])
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() - told_at >= TELL_SECONDS:
                log.warning("waiting", step=step, error=str(error).strip())
                told_at = time.monotonic()
            time.sleep(PAUSE_SECONDS)
        else:
            return


def missing(connection: psycopg.Connection) -> list[str]:
    """Return the steps that the database does not have yet."""
    if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
        return steps()
    known = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    return [step for step in steps() if step not in known]
