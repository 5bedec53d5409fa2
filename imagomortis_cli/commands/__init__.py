"""Loads a module of commands when one of them is used, because importing all of them takes seconds."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from typer.core import TyperGroup
from typer.main import get_group

MODULES: Final = {
    "up": "up",
    "upload": "upload",
    "list": "images",
    "show": "images",
    "retry": "images",
    "delete": "images",
    "download": "download",
    "status": "processing",
    "pause": "processing",
    "resume": "processing",
    "doctor": "doctor",
    "verify": "upkeep.verify",
    "retention": "upkeep.retention",
    "backup": "upkeep.archives",
    "restore": "upkeep.archives",
    "storage": "upkeep.storage",
    "demo": "demo",
}
"""The module of each command, in the order in which the help lists the commands."""


class Commands(TyperGroup):
    """The command `imagomortis`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the names of all commands."""
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        """Return a command by its name; None if there is none."""
        if cmd_name not in MODULES:
            return None
        app = import_module(f"{__name__}.{MODULES[cmd_name]}").app
        return get_group(app).commands[cmd_name]
