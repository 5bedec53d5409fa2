"""The databases of the stack, on a server that the user named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagomortis.errors import ConfigurationError
from imagomortis.settings import with_database
from imagomortis_cli.machine.postgres import databases


@contextmanager
def dropped(postgres: str, name: str) -> Iterator[str]:
    """Lend the name of a database that is gone after the block."""
    yield name
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def name(postgres: str) -> Iterator[str]:
    with dropped(postgres, f'odd "name" {uuid4().hex}') as name:
        yield name


def test_creates_a_database_once(postgres: str, name: str) -> None:
    databases.ensure(postgres, name)
    databases.ensure(postgres, name)
    with psycopg.connect(databases.named(postgres, name)) as connection:
        assert connection.info.dbname == name


def test_says_what_an_administrator_has_to_do(postgres: str, name: str) -> None:
    role = f"modest_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        try:
            with pytest.raises(ConfigurationError, match="CREATE DATABASE"):
                databases.ensure(make_conninfo(postgres, user=role), name)
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_says_when_a_server_cannot_be_reached(postgres: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL or PGHOST cannot be used"):
        databases.ensure(make_conninfo(postgres, port=1), "any")


def test_refuses_a_server_that_is_too_old(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "OLDEST", 99)
    with pytest.raises(ConfigurationError, match="needs 99 or later"):
        databases.ensure(postgres, "any")


def test_the_catalog_is_named_by_the_url_or_pgdatabase_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGDATABASE", raising=False)
    assert databases.catalog_name("postgresql://host/pictures") == "pictures"
    assert databases.catalog_name("") == "imagomortis"
    monkeypatch.setenv("PGDATABASE", "photos")
    assert databases.catalog_name("") == "photos"


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://me:p%40ss%2Fword@db.example:6543/other?sslmode=require",
        "host=/run/postgresql user=me",
        "postgresql:///other?host=/run/a%20folder&port=5433",
        "postgresql:///other?host=db.example&password=p%40ss",
        "",
    ],
)
def test_a_named_url_keeps_everything_but_the_name(conninfo: str) -> None:
    expected = {**conninfo_to_dict(conninfo), "dbname": "new"}
    assert conninfo_to_dict(databases.named(conninfo, "new")) == expected


def test_dagster_s_driver_takes_the_url(database: str) -> None:
    url = databases.for_dagster(database)
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT current_database()")).scalar_one()
    engine.dispose()
    assert with_database(database, found) == database
    assert databases.from_dagster(url) == database
