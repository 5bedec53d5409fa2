"""Checks and creates the stack's databases, on the embedded server or on one that the user named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagomortis.errors import ConfigurationError

OLDEST: Final = 15
"""The oldest supported major version of Postgres."""

DEFAULT: Final = "imagomortis"
"""The catalog's database, unless another one is named."""

_NAMING_NO_SERVER: Final = ("PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICEFILE")
"""Variables of libpq that describe a server, but do not name one."""

Connection = psycopg.Connection[tuple[Any, ...]]

_DAGSTER: Final = "postgresql+psycopg2://"


def catalog_name(conninfo: str) -> str:
    """Return the name of the catalog's database from ``conninfo`` or PGDATABASE, or else the default."""
    given = conninfo_to_dict(conninfo).get("dbname") or os.environ.get("PGDATABASE")
    return str(given) if given else DEFAULT


def naming_no_server(variables: Mapping[str, str]) -> list[str]:
    """Return the ``variables`` that describe a Postgres server without naming one."""
    return [name for name in _NAMING_NO_SERVER if variables.get(name)]


def ensure(conninfo: str, name: str) -> None:
    """Create the database ``name`` on the server of ``conninfo`` if it does not exist.

    Raises ConfigurationError, which says what to do, if the server cannot be reached, is older than ``OLDEST``, or does
    not let this user create the database.
    """
    # a server can refuse its users the maintenance database; only the wanted database must be usable
    with suppress(psycopg.OperationalError), _connection(conninfo, "postgres") as connection:
        _check_version(connection)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            _create(connection, name)
    try:
        with _connection(conninfo, name) as connection:
            _check_version(connection)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error


def named(conninfo: str, name: str) -> str:
    """Return ``conninfo`` with the database ``name``, as a URL; libpq's own variables supply what it omits."""
    words = {key: str(value) for key, value in conninfo_to_dict(conninfo, dbname=name).items() if value is not None}
    user, database = (quote(words.pop(key, ""), safe="") for key in ("user", "dbname"))
    password = quote(words.pop("password", ""), safe="") if user else ""  # without a user it stays in the query
    login = f"{user}{':' if password else ''}{password}@" if user else ""
    return f"postgresql://{login}/{database}" + (f"?{urlencode(words, quote_via=quote)}" if words else "")


def has_password(url: str) -> bool:
    """Return whether a URL, in libpq's form or Dagster's, holds a password."""
    return not {"password", "sslpassword"}.isdisjoint(conninfo_to_dict(from_dagster(url)))


def for_dagster(url: str) -> str:
    """Return a libpq URL in Dagster's form: SQLAlchemy's, whose scheme names the driver."""
    return url.replace("postgresql://", _DAGSTER, 1)


def from_dagster(url: str) -> str:
    """Return the libpq URL for a URL in Dagster's form."""
    return url.replace(_DAGSTER, "postgresql://", 1)


def _connection(conninfo: str, name: str) -> Connection:
    return psycopg.connect(make_conninfo(conninfo, dbname=name), connect_timeout=10, autocommit=True)


def _create(connection: Connection, name: str) -> None:
    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:  # another process was faster
        return
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The database {name} is not there and your Postgres user may not create it ({_text(error)}). Let an "
            f'administrator run: CREATE DATABASE "{name}" OWNER <your user>.'
        ) from error


def _check_version(connection: Connection) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise ConfigurationError(
            f"The Postgres at {connection.info.host or 'its default address'} is version {version}; ImagoMortis needs "
            f"{OLDEST} or later. Upgrade it, point DATABASE_URL at a newer one, or unset DATABASE_URL and PGHOST to "
            "use the embedded Postgres."
        )


def _unreachable(error: psycopg.OperationalError) -> ConfigurationError:
    return ConfigurationError(
        f"The Postgres named by DATABASE_URL or PGHOST cannot be used: {_text(error)}. Start it or correct the "
        "variable, or unset both to use the embedded Postgres."
    )


def _text(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
