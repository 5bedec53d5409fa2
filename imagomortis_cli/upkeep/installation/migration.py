"""Migrates both databases to this version: ``python -m imagomortis_cli.upkeep.installation.migration``."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from dagster import DagsterInstance

from imagomortis import logs, privacy
from imagomortis.catalog import migrate
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres import databases
from imagomortis_cli.upkeep.installation import waiting

PART: Final = "migrate"

log = Log(__name__)

PATIENCE_SECONDS: Final = 600.0
"""How long Postgres may take to start."""


def main() -> None:
    """Wait for Postgres, then migrate."""
    privacy.keep()
    settings = Settings.read()
    logs.configure(PART, settings.log_level)
    if settings.conninfo is None or settings.dagster_database_url is None:
        raise ConfigurationError("DATABASE_URL and IMAGOMORTIS_DAGSTER_DATABASE_URL must name the two databases.")
    dagster = databases.from_dagster(settings.dagster_database_url.get_secret_value())
    until = time.monotonic() + PATIENCE_SECONDS
    for url in (dagster, settings.conninfo):
        waiting.wait(partial(databases.ensure, url, databases.catalog_name(url)), until)
    with DagsterInstance.get() as instance:  # creates the tables of a new database
        instance.upgrade(lambda text: log.info("dagster", detail=text))
    migrate(settings.conninfo)


if __name__ == "__main__":
    try:
        main()
    except ConfigurationError as error:
        logs.give_up(PART, error.detail)
