"""Manages the two roles of the embedded Postgres: its superuser, and the parts' role, which owns their databases.

A malicious statement in a session of the parts, as from another person's backup, can run no program and read no file.
In earlier versions the superuser owned everything, so each start hands its objects over.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

SUPERUSER: Final = "imagomortis"
"""Creates roles. `initdb` created it."""

PARTS: Final = "imagomortis_parts"
"""Owns the databases, and can create more."""

_DATABASES: Final = "SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate"

_HAND_OVER: Final = Path(__file__).with_name("hand_over.sql").read_bytes()


def settle(url: Callable[[str], str]) -> None:
    """Create the parts' role, and make it own every database; ``url`` returns the superuser's URL of a database."""
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
