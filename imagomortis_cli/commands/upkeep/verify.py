"""Implements `imagomortis verify`: reads every picture again, and reports the damaged ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from imagomortis import storage
from imagomortis.catalog import Catalog
from imagomortis.errors import ImagoMortisError
from imagomortis.settings import Settings
from imagomortis_cli import advice
from imagomortis_cli.advice import namespace_of
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.machine import running
from imagomortis_cli.terminal import Terminal, count, size
from imagomortis_cli.upkeep import database_access
from imagomortis_cli.upkeep import verify as work
from imagomortis_cli.upkeep.verify import Report

app = typer.Typer()


@app.command()
def verify(
    restart: Annotated[
        bool, typer.Option("--restart", help="Start again, instead of continuing an interrupted verification.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="The file that keeps the progress of an interrupted verification; by default in the home.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every original and rendition again, and compare it with its digest.

    Ctrl-C interrupts it, and the next call continues there. Uses the database directly; the system may run meanwhile.
    Exit code: 0 nothing is damaged, 1 something is damaged, 2 the database could not be read.
    """
    terminal = Terminal(is_json=as_json)
    try:
        settings = Settings.read()
        report = _verify(settings, terminal, state, restart=restart)
    except ImagoMortisError as error:
        sys.stderr.write(f"Error: {error.detail}\n")
        raise typer.Exit(2) from error
    _show(report, terminal, namespace_of(settings))
    raise typer.Exit(1 if report.damaged else 0)


def _verify(given: Settings, terminal: Terminal, state: Path | None, *, restart: bool) -> Report:
    settings = running.settings_of(given)
    with (
        database_access.any_time(settings) as where,
        Catalog(where.catalog, objects=storage.opened(settings)) as catalog,
    ):
        if state is None and settings.home.is_dir():
            state = settings.home / work.FILE
        report = work.begin(catalog, state, restart=restart)
        if report.images:
            terminal.note(f"Continuing after {count(report.images, 'image')}; --restart starts again.")
        _, total = catalog.verification.amount()
        with terminal.progress("verifying", total, "bytes") as advance:
            advance(report.bytes)
            work.verify(catalog, report, state, advance)
    return report


def _show(report: Report, terminal: Terminal, namespace: str | None) -> None:
    terminal.document(
        {**report.model_dump(mode="json", exclude={"database", "after"}), "retry": report.to_retry, "lost": report.lost}
    )
    for each in report.damaged:
        terminal.line(f"DAMAGED {each.filename}, {each.kind} of {each.id}: {each.problem}")
    terminal.line(
        f"{count(report.pictures, 'picture')} of {count(report.images, 'image')} read, {size(report.bytes)}: "
        f"{len(report.damaged) or 'none'} damaged."
    )
    if report.to_retry:
        retry = advice.to_server(f"retry {' '.join(map(str, report.to_retry))}", namespace)
        terminal.line(f"Render again: {retry}")
    if report.lost:
        ids = " ".join(map(str, report.lost))
        restore = "imagomortis restore" if namespace is None else "deploy/restore"
        terminal.line(
            f"An original cannot be rendered: restore a backup (`{restore}`), or upload the file again and "
            f"delete the damaged one: {advice.to_server(f'delete {ids}', namespace)}"
        )
