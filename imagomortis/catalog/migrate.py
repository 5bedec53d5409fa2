"""The steps that bring the schema of a database up to date."""

from __future__ import annotations

from importlib.resources import files

import psycopg

from imagomortis import migrations
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log

log = Log(__name__)

LOCK = 4_242_001
"""The advisory lock that lets one process at a time migrate."""


def steps() -> list[str]:
    """Return the names of the steps that this version knows, in their order."""
    return sorted(file.name for file in files(migrations).iterdir() if file.name.endswith(".sql"))


def migrate(conninfo: str) -> list[str]:
    """Apply the steps that the database does not have yet, each in a transaction, and return their names.

    Raises ConfigurationError where the database has steps that this version does not know.
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
            with connection.transaction():
                text = (files(migrations) / step).read_text(encoding="utf-8")
                connection.execute(text.encode())
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", [step])
            log.info("migrated", step=step)
    return fresh


def missing(connection: psycopg.Connection) -> list[str]:
    """Return the steps of this version that the database does not have yet."""
    if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
        return steps()
    known = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    return [step for step in steps() if step not in known]
