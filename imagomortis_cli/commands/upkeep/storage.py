"""Implements `imagomortis storage copy`: copies the bytes of all pictures to another storage."""

from __future__ import annotations

from typing import Annotated

import typer

from imagomortis.catalog import Catalog
from imagomortis.catalog.postgres_storage import PostgresStorage
from imagomortis.errors import ConfigurationError
from imagomortis.settings import POSTGRES, Settings
from imagomortis.storage import opened
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.machine import running
from imagomortis_cli.terminal import Terminal, count, size
from imagomortis_cli.upkeep import database_access
from imagomortis_cli.upkeep import storage_copy as work

app = typer.Typer()
storage = typer.Typer(no_args_is_help=True, help="Move pictures' bytes between Postgres and object stores.")
app.add_typer(storage, name="storage")


@app.callback()
def _root() -> None:
    """Make ``storage`` a group beside the other commands."""


@storage.callback()
def _group() -> None:
    """Make ``copy`` a command of the group."""


@storage.command()
def copy(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="`postgres`, or a URL as in IMAGOMORTIS_STORAGE.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="SOURCE", help="Where the bytes are; by default IMAGOMORTIS_STORAGE."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove from the source what the target has; only after the switch.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the bytes of all pictures to another storage, and say how to switch to it. The system may run meanwhile.

    After Ctrl-C, the same command copies the rest. Exit code: 0 all bytes are copied, 1 some are damaged.
    """
    terminal = Terminal(is_json=as_json)
    settings = running.settings_of(Settings.read())
    place = source or settings.storage
    if place == target:
        raise ConfigurationError(
            f"The bytes are already in {target}. Name another target, or another source by --from."
        )
    if remove and settings.storage != target:
        raise ConfigurationError(
            f"The system still uses {settings.storage}. Switch to the target first: IMAGOMORTIS_STORAGE={target}."
        )
    with database_access.any_time(settings) as where, Catalog(where.catalog) as catalog:
        old, new = (
            opened(settings.model_copy(update={"storage": each})) or PostgresStorage(catalog.database)
            for each in (place, target)
        )
        _, total = catalog.verification.amount()
        with terminal.progress("copying", total, "bytes") as advance:
            copied = work.copy(catalog, old, new, advance)
        removed = work.remove(catalog, old, new) if remove else 0
    _show(copied, removed, place, target, terminal, is_switched=settings.storage == target)
    raise typer.Exit(1 if copied.damaged else 0)


def _show(
    copied: work.Copied, removed: int, source: str, target: str, terminal: Terminal, *, is_switched: bool
) -> None:
    terminal.document({"objects": copied.objects, "bytes": copied.bytes, "removed": removed, "damaged": copied.damaged})
    for name in copied.damaged:
        terminal.line(f"DAMAGED {name}: the source has no bytes, or other bytes, under this name.")
    terminal.line(f"{count(copied.objects, 'object')} copied, {size(copied.bytes)}; the target had the others already.")
    if removed:
        terminal.line(f"{count(removed, 'object')} removed from {source}.")
    if not is_switched and source == POSTGRES:
        terminal.line(
            f"To switch, restart the system with IMAGOMORTIS_STORAGE={target}. Then copy the rest by "
            f"`imagomortis storage copy {target} --from {source} --remove`."
        )
    elif not is_switched:
        terminal.line(f"To switch, stop the system, copy once more, and start it with IMAGOMORTIS_STORAGE={target}.")
