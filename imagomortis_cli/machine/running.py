"""Finds the settings of the system that runs in a home, even if it was started from another shell."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from imagomortis.settings import Settings
from imagomortis_cli.machine import home, stack
from imagomortis_cli.machine.processes import process_table

_OWN: Final = ("IMAGOMORTIS_", "DATABASE_URL=")


def settings_of(given: Settings) -> Settings:
    """Return the settings of the system that runs in the given home; the given settings if none runs there.

    If the environment names another database than that system's, the home is not the one that is meant.
    """
    if not home.is_held(given.home):
        return given
    noted = noted_by_up(given.home)
    if given.conninfo not in {None, noted.get("DATABASE_URL")}:
        return given
    variables = {**_started_with(given.home), **noted}
    fields = {_field(name): value for name, value in variables.items() if _field(name) in _FIELDS}
    found = Settings.read(**{**fields, "home": given.home})
    return found.model_copy(update={"secrets": given.home / stack.SECRETS})  # with the credentials of an object store


_FIELDS: Final = {*Settings.model_fields, "DATABASE_URL"} - {"database_url", "url", "secrets"}


def _field(variable: str) -> str:
    return variable if variable == "DATABASE_URL" else variable.removeprefix("IMAGOMORTIS_").lower()


def _started_with(folder: Path) -> dict[str, str]:
    """Return our variables in the environment of the process that holds the home, if the kernel shows it."""
    holder = home.holder(folder)
    words = [word.decode(errors="replace") for word in process_table.Process(holder.pid).environment] if holder else []
    # a secret that the process has forgotten has no value any more
    return dict(word.split("=", 1) for word in words if word.startswith(_OWN) and "=" in word[:-1])


def noted_by_up(folder: Path) -> dict[str, str]:
    """Return the variables that `up` noted in its home, secrets included; none while it is starting."""
    try:
        lines = (folder / stack.VARIABLES).read_text().splitlines()
        return {
            **dict(shlex.split(line)[1].split("=", 1) for line in lines),
            **stack.read_secrets(folder / stack.SECRETS),
        }
    except OSError:
        return {}
