"""Defines the options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

Ids = Annotated[
    list[UUID] | None, typer.Argument(metavar="ID", help="The ids of images, as `list` shows them.", show_default=False)
]


def chosen(ids: list[UUID] | None, alternative: str, *, is_alternative: bool) -> list[UUID]:
    """Return the ids; raise a usage error unless either ids or the alternative are given."""
    if bool(ids) == is_alternative:
        raise typer.BadParameter(f"give the ids of images, or {alternative}", param_hint="ID")
    return list(dict.fromkeys(ids or []))
