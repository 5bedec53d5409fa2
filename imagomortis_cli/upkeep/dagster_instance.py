"""Opens a system's Dagster instance, for commands that query or repair it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dagster import DagsterInstance

from imagomortis.settings import Settings
from imagomortis_cli.machine import dagster_home
from imagomortis_cli.machine.postgres.databases import for_dagster

URL: Final = "IMAGOMORTIS_DAGSTER_DATABASE_URL"
"""The variable in which `dagster.yaml` finds the database."""


@contextmanager
def opened(settings: Settings, database: str) -> Iterator[DagsterInstance]:
    """Lend the instance on a database (a libpq URL), configured by the home, DAGSTER_HOME or the shipped file."""
    with (
        TemporaryDirectory() as spare,
        _named(for_dagster(database)),
        DagsterInstance.from_config(str(_folder(settings, Path(spare)))) as instance,
    ):
        yield instance


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Set the variable for the duration of a block, because the configuration can get the database in no other way."""
    before = os.environ.get(URL)
    os.environ[URL] = url
    try:
        yield
    finally:
        os.environ.pop(URL)
        if before is not None:
            os.environ[URL] = before


def _folder(settings: Settings, spare: Path) -> Path:
    for folder in (settings.home / "dagster", Path(os.environ.get("DAGSTER_HOME", spare))):
        if (folder / "dagster.yaml").is_file():
            return folder.resolve()
    return dagster_home.place(spare)
