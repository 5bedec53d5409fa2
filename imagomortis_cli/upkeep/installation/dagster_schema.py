"""Whether a database has the tables of the installed Dagster, told without importing it.

Alembic, by which Dagster changes its tables, notes the last of its steps in the database. Each step is a file of
Dagster that names itself and the step before it; Dagster's own look at them takes seconds and more than 100 MB.
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
    """Return the last step of the installed Dagster, and all those before it."""
    spec = find_spec("dagster")  # which imports nothing
    folders = spec.submodule_search_locations if spec else None
    (folder,) = folders or [""]
    files = Path(folder, "_core/storage/alembic/versions").glob("*.py")
    found = [_NAMES.findall(file.read_text(encoding="utf-8")) for file in files]
    names = {kind: {name for each in found for one, name in each if one == kind} for kind in _KINDS}
    (last,) = names["revision"] - names["down_revision"]
    return last, frozenset(names["revision"] - {last})


def missing(connection: psycopg.Connection[Any]) -> str | None:
    """Return the step that the database does not have yet; a newer version's are none of ours."""
    last, earlier = steps()
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return last
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return last if row is None or row[0] in earlier else None
