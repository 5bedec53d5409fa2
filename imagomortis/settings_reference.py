"""Generates the reference of all settings from their definition: `python -m imagomortis.settings_reference`."""

from __future__ import annotations

from enum import Enum
from typing import Any

from imagomortis.settings import Settings, variable

HEAD = """# Settings

Every part reads its settings from the environment. A value that cannot be used is named when a part starts, with what
it should be. Generated from `imagomortis/settings.py` by `python -m imagomortis.settings_reference > docs/settings.md`.

| variable | default | what it is |
|---|---|---|
"""

TAIL = """
Postgres can be named by `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE` and the other variables of libpq in
place of `DATABASE_URL`. `PGHOST`, `PGHOSTADDR` or `PGSERVICE` must be among them: without one, and without
`DATABASE_URL`, `imagomortis up` starts an embedded Postgres in the home folder, and warns of the others.

Other programs of the same user can read a process's environment. So `imagomortis up` passes the token, and addresses
with a password, to its parts as files in the folder `secrets` of its home, and removes them from its own environment.
Pods mount their Secrets as such a folder. `PGPASSWORD` stays where it is: use `PGPASSFILE`.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{variable(name)}` | {_shown(field.default)} | {field.description} |\n")
    return HEAD + "".join(rows) + TAIL


def _shown(default: Any) -> str:
    if default is None or default == "":
        return ""
    return f"`{default.value if isinstance(default, Enum) else default}`"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
