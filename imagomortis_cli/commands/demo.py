"""Implements `imagomortis demo`: runs the whole system on a dozen pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from uuid import UUID

import typer

from imagomortis.settings import Settings
from imagomortis_cli.commands import upload
from imagomortis_cli.machine import background
from imagomortis_cli.remote import recipes, sending
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.watch import Ending, place
from imagomortis_cli.terminal import Terminal

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            exists=True, metavar="FOLDER", help="A folder with your own pictures.", show_default="a dozen drawn ones"
        ),
    ] = None,
    *,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", metavar="NAME|JSON|FILE", help="The recipe for the pictures.")
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the system at the end if this command started it.")
    ] = False,
) -> None:
    """Show the system at work: start it if necessary, draw pictures, upload them, and print links to the results."""
    settings, terminal = Settings.read(), Terminal()
    started = background.ensure(settings, terminal.note)
    try:
        with Client.of(settings) as client, _pictures(folder, terminal) as files:
            chosen = recipes.resolve(client, recipe) if recipe is not None else None
            since = place(client)
            outcomes = upload.send(client, files, chosen, terminal)
            endings = upload.watch(client, outcomes, terminal, since)
            _show(client, endings, terminal)
        for outcome in outcomes:
            if outcome.error:
                terminal.note(f"{outcome.path.name}: {outcome.error.detail}")
        if started and not stop:
            terminal.line(f"The system keeps running (log: {started.log}). Stop it with: kill {started.pid}")
    finally:
        if started and stop:
            started.stop()
    if len(endings) < len(files) or any(ending.end != "done" for ending in endings.values()):
        raise typer.Exit(1)


@contextmanager
def _pictures(folder: Path | None, terminal: Terminal) -> Iterator[Sequence[Path]]:
    """Yield the pictures of a folder, or drawn ones."""
    if folder:
        found = sending.find([folder])
        if not found:
            raise typer.BadParameter(f"{folder} has no pictures", param_hint="FOLDER")
        yield found
        return
    with TemporaryDirectory(prefix="imagomortis-demo-") as drawn:
        yield _drawn(Path(drawn), terminal)


def _drawn(folder: Path, terminal: Terminal) -> list[Path]:
    from imagomortis_cli import pictures

    files = []
    with terminal.progress("drawing", pictures.NUMBER, "pictures") as advance:
        for picture in pictures.draw():
            files.append(folder / picture.filename)
            files[-1].write_bytes(picture.data)
            advance(1)
    return files


def _show(client: Client, endings: dict[UUID, Ending], terminal: Terminal) -> None:
    """Print the addresses of the processed pictures, and the causes of failures."""
    for image_id, ending in endings.items():
        image = ending.image
        if image and image["links"]["processed"]:
            terminal.line(
                f"{image['filename']:16}  {image['resolution']:>9}  {client.api(image['links']['processed'])}"
            )
        else:
            terminal.line(
                f"{image['filename'] if image else image_id}: {ending.end}, {image and image['job']['error']}"
            )
    terminal.line(f"See all pictures, and add yours: {client.origin}")
