"""Tells a probe whether Dagster's daemon is alive: ``python -m imagomortis_cli.upkeep.installation.heartbeat``.

With ``--since-start``, only heartbeats of the daemon in this container count, not those of an earlier one. The daemon
notes one for each of its loops. Dagster's own check imports all of Dagster, which takes a second of CPU time each time.
This check is one statement.
"""

from __future__ import annotations

import math
import sys
import time
from argparse import ArgumentParser
from typing import Final

import psutil
import psycopg

from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres import databases

FRESH_SECONDS: Final = 300.0
"""The daemon is dead if all its heartbeats are older than this. Dagster's own limit is 1,800 s."""


def age(url: str) -> float:
    """Return the seconds since the newest heartbeat in the database at ``url`` (libpq's); inf without any."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT max((body::json->>'timestamp')::float) FROM daemon_heartbeats").fetchone()
    return time.time() - row[0] if row and row[0] is not None else math.inf


def since_start() -> float:
    """Return for how many seconds this container's (or the machine's) first process has run."""
    return time.time() - psutil.Process(1).create_time()


def main() -> None:
    """Exit with 0 if a heartbeat is fresh, or if the database is away, because that says nothing about the daemon."""
    parser = ArgumentParser(description="Tell whether Dagster's daemon is alive.")
    parser.add_argument("--since-start", action="store_true", help="count none from before this container's start")
    most = since_start() if parser.parse_args().since_start else FRESH_SECONDS
    settings = Settings.read()
    if settings.dagster_database_url is None:
        sys.exit("IMAGOMORTIS_DAGSTER_DATABASE_URL must name Dagster's database.")
    try:
        seconds = age(databases.from_dagster(settings.dagster_database_url.get_secret_value()))
    except psycopg.OperationalError as error:
        sys.stderr.write(f"unknown: {error}\n")
        return
    if seconds > most:
        sys.exit(f"The newest heartbeat is {seconds:.0f} s old.")


if __name__ == "__main__":
    main()
