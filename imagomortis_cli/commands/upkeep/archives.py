"""Implements `imagomortis backup` and `restore`: writes everything into one file, and reads it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from imagomortis.settings import Settings
from imagomortis.spool.opening import opened
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.machine import dagster_home
from imagomortis_cli.remote import files
from imagomortis_cli.terminal import Terminal, count, size
from imagomortis_cli.upkeep import backup as work
from imagomortis_cli.upkeep import database_access
from imagomortis_cli.upkeep.archive import Advance, Manifest
from imagomortis_cli.upkeep.backup import Begin

app = typer.Typer()


_LABELS = {
    "check": "checking the backup",
    "uploads": "uploads not yet in the catalog",
    "catalog": "the catalog",
    "pictures": "the pictures",
    "runs": "Dagster's runs",
}


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="The file to write, a tar archive.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an existing file.")] = False,
    without_spool: Annotated[
        bool, typer.Option("--no-spool", help="Leave out uploads that are not yet in the catalog.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything into one file: pictures, recipes, uploads, Dagster's runs. The system may run meanwhile.

    Uses the database directly: that of IMAGOMORTIS_HOME, or the one that DATABASE_URL or PGHOST names.
    """
    files.check_free(file, overwrite=force)
    terminal = Terminal(is_json=as_json)
    settings = Settings.read()
    with database_access.any_time(settings) as where, _steps(terminal) as begin:
        spool = None if without_spool else work.spool_of(settings)
        manifest = work.write(file, where.catalog, where.dagster, spool, begin, overwrite=force)
    _report(file, manifest, terminal)


@app.command()
def restore(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A file that `backup` wrote.")
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Replace everything that the system has now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty system that does not run, and migrate it to this version."""
    terminal = Terminal(is_json=as_json)
    settings = Settings.read()
    with database_access.alone(settings) as (catalog, dagster), _steps(terminal) as begin:
        manifest = work.restore(file, catalog, dagster, opened(settings), begin, replace=replace)
        dagster_home.forget_migration(settings.home)
    _report(file, manifest, terminal)
    terminal.note("You can start the system now.")


@contextmanager
def _steps(terminal: Terminal) -> Iterator[Begin]:
    """Yield a function that shows the next step as the current one."""
    with ExitStack() as shown:

        def begin(label: str, total: int | None) -> Advance:
            shown.close()
            return shown.enter_context(terminal.progress(_LABELS[label], total, "bytes"))

        yield begin


def _report(file: Path, manifest: Manifest, terminal: Terminal) -> None:
    terminal.document(
        {"file": str(file), **manifest.model_dump(mode="json", exclude={"members"}), "bytes": manifest.size}
    )
    waiting = f" and {count(manifest.uploads, 'upload')} not yet in it" if manifest.uploads else ""
    terminal.line(
        f"{file}: {count(manifest.images, 'image')} in the catalog{waiting}, {size(manifest.size)}, of "
        f"{manifest.created_at.astimezone():%Y-%m-%d %H:%M:%S}."
    )
    if manifest.elsewhere:
        terminal.line(
            f"The bytes of {count(manifest.elsewhere, 'picture')} are not in it: they are in the object store, which "
            "needs a backup of its own. `imagomortis verify` reads them all."
        )
