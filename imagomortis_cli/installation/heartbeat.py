"""Tells a probe whether Dagster's daemon is alive: ``python -m imagomortis_cli.installation.heartbeat``.

The daemon notes a heartbeat for each of its loops. Dagster's own check imports all of Dagster, a second of CPU time for
each look; this one is a statement.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Final

import psycopg

from imagomortis.settings import Settings
from imagomortis_cli import databases

FRESH_SECONDS: Final = 300.0
"""Older than this, all of its heartbeats are: Dagster itself calls it dead after 1,800 s."""


def age(url: str) -> float:
    """Return the seconds since the newest heartbeat in the database that libpq's ``url`` names; inf without any."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT max((body::json->>'timestamp')::float) FROM daemon_heartbeats").fetchone()
    return time.time() - row[0] if row and row[0] is not None else math.inf


def main() -> None:
    """Exit with 0 if a heartbeat is fresh; a database that is away says nothing about the daemon."""
    settings = Settings.read()
    if settings.dagster_database_url is None:
        sys.exit("IMAGOMORTIS_DAGSTER_DATABASE_URL must name Dagster's database.")
    try:
        seconds = age(databases.from_dagster(settings.dagster_database_url.get_secret_value()))
    except psycopg.OperationalError as error:
        sys.stderr.write(f"unknown: {error}\n")
        return
    if seconds > FRESH_SECONDS:
        sys.exit(f"The newest heartbeat is {seconds:.0f} s old.")


if __name__ == "__main__":
    main()
