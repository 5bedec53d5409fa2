"""Implements `imagomortis upload`: sends pictures from this machine to the uploader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.remote import recipes, sending
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.sending import NotSent, UploadOutcome
from imagomortis_cli.remote.watch import Ending, Watch, place
from imagomortis_cli.terminal import Terminal, count

app = typer.Typer()


@app.command()
def upload(
    paths: Annotated[list[str], typer.Argument(metavar="FILE|FOLDER", help="Pictures, or folders with pictures.")],
    *,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "-r",
            metavar="NAME|JSON|FILE",
            help="The name of a recipe, a recipe as JSON, or a file with one.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until every picture is processed.")] = False,
    skip_known: Annotated[
        bool, typer.Option("--skip-known", help="Skip pictures that the server has already.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="In folders, take files of any name, not only those with a picture's suffix.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=32, help="The number of simultaneous uploads.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Upload pictures: files, and folders with their subfolders.

    Prints the id of each stored picture. Exit code 1: a picture was not stored or, with --wait, not processed.
    """
    files = sending.find([_existing(path) for path in paths], everything=everything)
    if not files:
        raise typer.BadParameter("it has no pictures; --all takes files of any name", param_hint="FOLDER")
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        chosen = recipes.resolve(client, recipe) if recipe is not None else None
        since = place(client) if wait else None
        outcomes = send(
            client, files, chosen, terminal, lambda outcome: _show(outcome, terminal), skip_known=skip_known, jobs=jobs
        )
        endings = watch(client, outcomes, terminal, since) if wait else {}
    terminal.document([_document(outcome, endings) for outcome in outcomes])
    _summarize(outcomes, endings, terminal)
    if any(outcome.error for outcome in outcomes) or any(ending.end != "done" for ending in endings.values()):
        raise typer.Exit(1)


def _existing(text: str) -> Path:
    """Return the path; refuse an empty text, which would mean the current folder."""
    if not text:
        raise typer.BadParameter("it is empty; name a picture, or `.` for this folder", param_hint="FILE|FOLDER")
    path = Path(text)
    if not path.exists():
        raise typer.BadParameter(f"{text!r} does not exist", param_hint="FILE|FOLDER")
    return path


def send(
    client: Client,
    files: Sequence[Path],
    recipe: str | None,
    terminal: Terminal,
    show: Callable[[UploadOutcome], object] = lambda _: None,
    *,
    skip_known: bool = False,
    jobs: int = 4,
) -> list[UploadOutcome]:
    """Send files with a progress bar; return the outcome of each, and call ``show`` with it at once."""
    outcomes = []
    with terminal.progress("uploading", sending.total_size(files), "bytes") as advance:
        for outcome in sending.Sending(client, recipe, advance, jobs).send(files, skip_known=skip_known):
            outcomes.append(outcome)
            show(outcome)
    return outcomes


def watch(
    client: Client, outcomes: Sequence[UploadOutcome], terminal: Terminal, since: str | None = None
) -> dict[UUID, Ending]:
    """Wait with a progress bar until the stored pictures are done or failed; return the ending of each."""
    ids = [outcome.id for outcome in outcomes if outcome.id]
    if not ids:
        return {}
    with terminal.progress("processing", len(set(ids)), "pictures") as advance:
        return Watch(client, ids, advance, terminal.note, since).run()


def _show(outcome: UploadOutcome, terminal: Terminal) -> None:
    if outcome.id:
        terminal.line(f"{outcome.id}  {outcome.path}{' (known)' if outcome.is_known else ''}")


def _document(outcome: UploadOutcome, endings: dict[UUID, Ending]) -> dict[str, Any]:
    ending = endings.get(outcome.id) if outcome.id else None
    return {
        "file": str(outcome.path),
        "uuid": str(outcome.id) if outcome.id else None,
        "filename": outcome.filename,
        "known": outcome.is_known,
        "error": outcome.error.detail if outcome.error else None,
        **({"end": ending.end, "image": ending.image} if ending else {}),
    }


def _summarize(outcomes: Sequence[UploadOutcome], endings: dict[UUID, Ending], terminal: Terminal) -> None:
    refused = [outcome for outcome in outcomes if outcome.error and not isinstance(outcome.error, NotSent)]
    unsent = [outcome for outcome in outcomes if isinstance(outcome.error, NotSent)]
    known = sum(outcome.is_known for outcome in outcomes)
    words = [f"{count(len(outcomes) - len(refused) - len(unsent) - known, 'picture')} stored"]
    words += [f"{known:,} known already"] if known else []
    words += [f"{len(refused):,} not stored"] if refused else []
    words += [f"{len(unsent):,} not sent"] if unsent else []
    for end in ("done", "failed", "deleted"):
        if number := sum(ending.end == end for ending in endings.values()):
            words.append(f"{number:,} {end}")
    terminal.note(", ".join(words) + (":" if refused else "."))
    for outcome in refused:
        terminal.note(f"  {outcome.path}: {outcome.error.detail if outcome.error else ''}")
    for image_id, ending in endings.items():
        if ending.end == "failed" and ending.image:
            terminal.note(f"  {ending.image['filename']} ({image_id}) failed: {ending.image['job']['error']}")
