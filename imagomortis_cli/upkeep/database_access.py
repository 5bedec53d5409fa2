"""Opens the databases of a system, whether it runs or not, for commands that use them directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from imagomortis.errors import ConfigurationError, Conflict, Unavailable
from imagomortis.settings import Settings
from imagomortis_cli.machine import home, running, stack
from imagomortis_cli.machine.postgres import databases, embedded

_WHERE: Final = ("host", "hostaddr", "port", "service")


@dataclass(frozen=True)
class DatabaseUrls:
    """The connection strings of a system's databases; Dagster's is None if Dagster has never run."""

    catalog: str
    dagster: str | None


@contextmanager
def any_time(settings: Settings) -> Iterator[DatabaseUrls]:
    """Lend the databases, in use or not; start a stopped embedded Postgres for the block.

    Raises ConfigurationError if there are none, and Unavailable while they do not answer.
    """
    with ExitStack() as block:
        if settings.conninfo is not None:
            found = stack.choose_databases(settings)
        elif not settings.home.is_dir():
            raise _nowhere(settings.home)
        else:
            found = _embedded(settings, block)
        yield _checked(found.catalog, found.dagster)


@contextmanager
def alone(settings: Settings) -> Iterator[tuple[str, str]]:
    """Lend the databases, created if they do not exist, to a command that needs them alone.

    Raises Conflict while `up` runs, and ConfigurationError if the databases cannot be created.
    """
    with ExitStack() as block:
        try:
            block.enter_context(home.hold(settings.home))
        except Conflict as error:
            raise Conflict(f"{error.detail}\nStop it first, with Ctrl-C where it runs.") from error
        found = stack.choose_databases(settings)
        if found.server:
            block.enter_context(embedded.running(found.server))
        for url in (found.catalog, found.dagster):
            databases.ensure(url, databases.catalog_name(url))
        if _is_same(found.catalog, found.dagster):
            raise _shared()
        yield found.catalog, found.dagster


def _embedded(settings: Settings, block: ExitStack) -> stack.Databases:
    """Return the databases of the system that runs in the home, or start the home's Postgres for the block."""
    try:
        block.enter_context(home.hold(settings.home))
    except Conflict:
        return _noted(settings.home)
    if not (settings.home / "postgres").is_dir():
        raise _nowhere(settings.home)
    found = stack.choose_databases(settings)
    if found.server:
        block.enter_context(embedded.running(found.server))
    return found


def _noted(folder: Path) -> stack.Databases:
    """Return the databases that a running `up` noted for the `dagster` command."""
    try:
        words = running.noted_by_up(folder)
        catalog, dagster = words["DATABASE_URL"], words["IMAGOMORTIS_DAGSTER_DATABASE_URL"]
    except KeyError as error:
        raise Unavailable(f"The system in {folder.resolve()} is still starting: try again in a few seconds.") from error
    return stack.Databases(catalog, databases.from_dagster(dagster), server=None)


def _checked(catalog: str, dagster: str) -> DatabaseUrls:
    if _is_same(catalog, dagster):
        raise _shared()
    _try(catalog)
    try:
        _try(dagster)
    except Unavailable:
        if _is_missing(catalog, dagster):
            return DatabaseUrls(catalog, None)
        raise
    return DatabaseUrls(catalog, dagster)


def _try(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        name = databases.catalog_name(url)
        raise Unavailable(
            f"The database {name} cannot be reached ({' '.join(str(error).split())}). Start its server, correct "
            "DATABASE_URL, or unset it to use the embedded Postgres of IMAGOMORTIS_HOME."
        ) from error


def _is_missing(catalog: str, dagster: str) -> bool:
    """Return whether Dagster's database is named on the catalog's server, but does not exist there."""
    if _place(catalog) != _place(dagster):
        return False
    with psycopg.connect(catalog, connect_timeout=10) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [databases.catalog_name(dagster)])
        return found.fetchone() is None


def _is_same(catalog: str, dagster: str) -> bool:
    return _place(catalog) == _place(dagster) and databases.catalog_name(catalog) == databases.catalog_name(dagster)


def _place(url: str) -> tuple[object, ...]:
    words = conninfo_to_dict(url)
    return tuple(words.get(name) for name in _WHERE)


def _nowhere(folder: Path) -> ConfigurationError:
    return ConfigurationError(
        f"There is no database in {folder.resolve()}: set IMAGOMORTIS_HOME to the folder of the system, or "
        "DATABASE_URL to its database."
    )


def _shared() -> ConfigurationError:
    return ConfigurationError(
        "The catalog and Dagster are in the same database, which this command cannot tell apart. Give Dagster one of "
        "its own by IMAGOMORTIS_DAGSTER_DATABASE_URL, or copy the database with `pg_dump`."
    )
