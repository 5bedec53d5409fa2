"""Implements `imagomortis download`: copies pictures from the server to this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from imagomortis.errors import ImagoMortisError, NotFound
from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson, Ids, chosen
from imagomortis_cli.remote import saving
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.saving import OUTPUT_NAME, PictureChoice, TargetFolder
from imagomortis_cli.terminal import Terminal

app = typer.Typer()


JOBS = 4
"""The number of simultaneous downloads."""


class Kind(StrEnum):
    """Which picture of an image."""

    ORIGINAL = "original"
    PROCESSED = "processed"
    THUMBNAIL = "thumbnail"


@app.command()
def download(
    ids: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All images.")] = False,
    folder: Annotated[
        Path, typer.Option("--to", "-o", file_okay=False, metavar="FOLDER", help="The folder for the files.")
    ] = Path(),
    kind: Annotated[
        Kind | None,
        typer.Option(
            "--kind", "-k", help="Which picture; by default the processed one, or the original if there is none."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="NAME", help="The output of this name, of recipes that make several."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--zip", dir_okay=False, metavar="FILE", help="Save all as one zip file instead.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace files of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download pictures to a folder, or as one zip file; existing files are replaced only with --force."""
    wanted = chosen(ids, "--all", is_alternative=everything)
    picture = _picture(kind, output)
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        if everything:
            wanted = [UUID(image["id"]) for image in client.images()]
        if bundle:
            _save_zip(client, wanted, picture, bundle, terminal, force=force)
        else:
            _save(client, wanted, picture, folder, terminal, force=force)


def _picture(kind: Kind | None, output: str | None) -> PictureChoice:
    if kind and output is not None:
        raise typer.BadParameter("Give either --kind or --output.")
    if output is not None and not re.fullmatch(OUTPUT_NAME, output):
        raise typer.BadParameter(f"{output!r} is not the name of an output.", param_hint="--output")
    return PictureChoice(kind, output)


def _save_zip(
    client: Client, ids: Sequence[UUID], picture: PictureChoice, target: Path, terminal: Terminal, *, force: bool
) -> None:
    if not ids:
        raise NotFound("There are no images, so no zip file was written.")
    with terminal.progress("downloading", None, "bytes") as advance:
        left_out = saving.save_zip(client, ids, picture, target, advance, overwrite=force)
    terminal.document({"file": str(target), "left_out": left_out})
    terminal.line(str(target))
    for line in left_out:
        terminal.note(line)
    if left_out:
        raise typer.Exit(1)


def _save(
    client: Client, ids: Sequence[UUID], picture: PictureChoice, folder: Path, terminal: Terminal, *, force: bool
) -> None:
    target = TargetFolder(client, folder, overwrite=force)
    files: dict[UUID, Path] = {}
    problems: dict[UUID, ImagoMortisError] = {}
    with (
        terminal.progress("downloading", len(ids), "pictures") as advance,
        ThreadPoolExecutor(JOBS, thread_name_prefix="save") as pool,
    ):
        saved = {image_id: pool.submit(target.save, image_id, picture, advance) for image_id in ids}
        try:
            for image_id, future in saved.items():
                try:
                    files[image_id] = future.result()
                    terminal.line(str(files[image_id]))
                except ImagoMortisError as error:
                    problems[image_id] = error
        finally:  # Ctrl-C waits for the current downloads, not for all
            pool.shutdown(wait=False, cancel_futures=True)
    _report(files, problems, terminal)


def _report(files: dict[UUID, Path], problems: dict[UUID, ImagoMortisError], terminal: Terminal) -> None:
    terminal.document(
        [
            *({"id": str(image_id), "file": str(file), "error": None} for image_id, file in files.items()),
            *({"id": str(image_id), "file": None, "error": error.detail} for image_id, error in problems.items()),
        ]
    )
    for image_id, error in problems.items():
        terminal.note(f"{image_id}: {error.detail}")
    if problems:
        raise typer.Exit(1)
