"""The two roles of the embedded Postgres: its superuser, and the one of the parts, which owns their databases.

A statement that gets into a session of the parts, as from a backup that somebody else made, can run no program and read
no file. Versions before had the superuser own everything, so each start hands over what it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

SUPERUSER: Final = "imagomortis"
"""Makes roles; `initdb` made it."""

PARTS: Final = "imagomortis_parts"
"""Owns the databases, and may create more."""

_DATABASES: Final = "SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate"

_HAND_OVER: Final = Path(__file__).with_name("hand_over.sql").read_bytes()


def settle(url: Callable[[str], str]) -> None:
    """Let there be the role of the parts, the owner of every database; ``url`` is the superuser's of a database."""
    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [PARTS]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(PARTS)))
        names = [name for (name,) in connection.execute(_DATABASES)]
        for name in names:
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(PARTS))
            )
    for name in names:
        with psycopg.connect(url(name)) as connection:
            connection.execute(_HAND_OVER)
