"""Checks whether a database has the tables of the installed Dagster, without importing Dagster.

Dagster changes its tables by Alembic, which notes the last migration in the database. Each migration is a file of
Dagster that names itself and the migration before it. Dagster's own check takes seconds and more than 100 MB.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

_KINDS: Final = ("revision", "down_revision")
_NAMES: Final = re.compile(rf'^({"|".join(_KINDS)}) = "(\w+)"$', re.MULTILINE)


@cache
def steps() -> tuple[str, frozenset[str]]:
    """Return the last migration of the installed Dagster, and all earlier ones."""
    spec = find_spec("dagster")  # this imports nothing
    folders = spec.submodule_search_locations if spec else None
    (folder,) = folders or [""]
    files = Path(folder, "_core/storage/alembic/versions").glob("*.py")
    found = [_NAMES.findall(file.read_text(encoding="utf-8")) for file in files]
    names = {kind: {name for each in found for one, name in each if one == kind} for kind in _KINDS}
    (last,) = names["revision"] - names["down_revision"]
    return last, frozenset(names["revision"] - {last})


def missing(connection: psycopg.Connection[Any]) -> str | None:
    """Return the last migration if the database lacks it; a newer version's migrations do not count as missing."""
    last, earlier = steps()
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return last
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return last if row is None or row[0] in earlier else None
