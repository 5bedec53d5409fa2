"""Carrying a catalog out of one database and into another."""

from __future__ import annotations

import psycopg
from psycopg.rows import dict_row

from imagomortis.catalog import migrate
from imagomortis.catalog.upkeep.transfer import Transfer


def test_dropping_removes_everything_that_migrations_make(empty_database: str) -> None:
    """A table or function that stayed would be in the way of a restore."""
    migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True, row_factory=dict_row) as connection:
        Transfer(connection).drop()
        left = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert left == []
