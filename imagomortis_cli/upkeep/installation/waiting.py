"""Waits for databases with the schema of this version: ``python -m imagomortis_cli.upkeep.installation.waiting``.

It also waits for Dagster's database if its address is set, as in the pods that use it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg

from imagomortis import logs
from imagomortis.catalog.upkeep.migrate import missing
from imagomortis.errors import ConfigurationError, Unavailable
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres import databases
from imagomortis_cli.upkeep.installation import dagster_schema

PART: Final = "wait"

log = Log(__name__)

T = TypeVar("T")

PATIENCE_SECONDS: Final = 600.0
"""After this time the pod is restarted, which shows that something is wrong."""

PAUSE_SECONDS: Final = 0.5


def wait(action: Callable[[], T], until: float) -> T:
    """Repeat ``action`` until it works; raise its error after the monotonic time ``until``."""
    said = ""
    while True:
        try:
            return action()
        except (psycopg.OperationalError, Unavailable, ConfigurationError) as error:
            if time.monotonic() > until:
                raise
            if (text := " ".join(str(error).split())) != said:
                log.info("waiting", error=text)
                said = text
            time.sleep(PAUSE_SECONDS)


def check_schema(conninfo: str) -> None:
    """Raise Unavailable while the database lacks migrations of this version."""
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
        if steps := missing(connection):
            raise Unavailable(f"The database has not been migrated yet: it lacks {', '.join(steps)}.")


def check_dagster(conninfo: str) -> None:
    """Raise Unavailable while Dagster's database lacks the tables of this version's Dagster."""
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
        if step := dagster_schema.missing(connection):
            raise Unavailable(f"Dagster's database has not been migrated yet: it lacks {step}.")


def main() -> None:
    """Wait until the databases can be used."""
    settings = Settings.read()
    logs.configure(PART, settings.log_level)
    conninfo = settings.conninfo
    if conninfo is None:
        raise ConfigurationError("DATABASE_URL must name the catalog's database.")
    until = time.monotonic() + PATIENCE_SECONDS
    wait(lambda: check_schema(conninfo), until)
    if settings.dagster_database_url is not None:
        dagster = databases.from_dagster(settings.dagster_database_url.get_secret_value())
        wait(lambda: check_dagster(dagster), until)


if __name__ == "__main__":
    try:
        main()
    except (psycopg.OperationalError, Unavailable, ConfigurationError) as error:
        logs.give_up(PART, str(error))
