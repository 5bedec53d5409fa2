"""All statements, which go on working while the next version's migration changes the tables."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql

import imagomortis.catalog
from imagomortis.catalog.connection.database import statements

TOPICS = sorted(
    {path.name.removesuffix(".sql") for path in (files(imagomortis.catalog) / "sql").iterdir()} - {"transfer"}
)
"""All but the statements of a restore, beside which nothing works."""

INTEGER = psycopg.adapters.types["int4"].oid
LENGTHS = {"head", "start", "length"}
"""Values whose kind Postgres cannot tell from the statement."""


@pytest.mark.parametrize("topic", TOPICS)
def test_a_column_of_the_next_version_changes_no_result(database: str, topic: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        before = {name: columns(connection, text) for name, text in statements(topic).items()}
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN of_the_next text").format(sql.Identifier(table)))
        assert {name: columns(connection, text) for name, text in statements(topic).items()} == before


def columns(connection: psycopg.Connection[Any], statement: sql.SQL) -> list[bytes | None]:
    """Return the names of the columns of a statement's result, as Postgres would prepare it."""
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = re.sub(r"%\((\w+)\)[sb]", numbered, statement.as_string()).replace("%%", "%")
    pgconn = connection.pgconn
    found = pgconn.prepare(b"", text.encode(), [INTEGER if name in LENGTHS else 0 for name in names])
    assert found.status == pq.ExecStatus.COMMAND_OK, (text, found.error_message.decode())
    described = pgconn.describe_prepared(b"")
    return [described.fname(number) for number in range(described.nfields)]
