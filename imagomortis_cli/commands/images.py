"""`imagomortis list`, `show`, `retry` and `delete`: images on the server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

import typer

from imagomortis.lifecycle import State
from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson, Ids, chosen
from imagomortis_cli.remote.client import Client, ServerProblem
from imagomortis_cli.remote.documents import AttemptDocument, ImageDocument, InfoDocument
from imagomortis_cli.terminal import Terminal, age, count, size

app = typer.Typer()


AT_ONCE = 5000
"""Ids in one request; the API takes 10,000."""

FEW = 5
"""Images whose ids a line can name."""


@app.command("list")
def list_images(
    *,
    state: Annotated[
        list[State] | None, typer.Option("--state", "-s", help="Only images in this state; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Only file names that contain this.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="Only this recipe, by name or digest.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="At most so many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", "-a", help="All of them, instead of --limit.")] = False,
    as_json: AsJson = False,
) -> None:
    """List images, newest first."""
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        states = [each.value for each in state] if state else None
        # one more than is shown tells whether there are more
        found = client.images(None if everything else limit + 1, state=states, name=name, recipe=recipe)
        shown = found if everything else islice(found, limit)
        if as_json:
            terminal.documents(shown)
            return
        terminal.table(["ID", "NAME", "SIZE", "RESOLUTION", "STATE", "AGE"], map(_row, shown))
        if not everything and next(found, None):
            terminal.note(f"The newest {limit:,}; there are more (--limit, --all).")


@app.command()
def show(
    image_id: Annotated[UUID, typer.Argument(metavar="ID", help="The image, by the id that `list` shows.")],
    as_json: AsJson = False,
) -> None:
    """Show everything about an image: its renditions, its attempts and their causes, its addresses."""
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        info = client.info(image_id)
        terminal.document(info)
        if not as_json:
            _show(info, client, terminal)


@app.command()
def retry(
    ids: Ids = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every failed image.")] = False,
    as_json: AsJson = False,
) -> None:
    """Process images again that are done or failed."""
    wanted = chosen(ids, "--failed", is_alternative=failed)
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        retried, missing = (client.post("retry")["retried"], []) if failed else _retry(client, wanted)
    terminal.document({"retried": retried, "missing": missing})
    waiting = len(wanted) - retried - len(missing)
    terminal.line(f"{count(retried, 'image')} queued again." + (f" {waiting:,} waited already." if waiting > 0 else ""))
    _end(missing, terminal)


@app.command()
def delete(
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every image there is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before all are deleted.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring deleted images back, for about a minute after.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete images, their originals and renditions; --undo brings them back for a minute.

    Dagster keeps small thumbnails with the run of their hour for a while: see docs/runbook.md, Retention.
    """
    wanted = chosen(ids, "--all", is_alternative=everything)
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        if undo:
            _restore(client, wanted, terminal)
        elif everything:
            _delete_all(client, terminal, yes=yes)
        else:
            _delete(client, wanted, terminal)


def _retry(client: Client, ids: list[UUID]) -> tuple[int, list[str]]:
    """Queue images again, each asked for alone, which tells those that are not there; return how many, and those."""
    retried, missing = 0, []
    for image_id in ids:
        try:
            retried += client.post(f"images/{image_id}/retry")["retried"]
        except ServerProblem as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            missing.append(str(image_id))
    return retried, missing


def _end(missing: list[str], terminal: Terminal) -> None:
    """Tell which images are not there, and end with exit code 1 if there are any."""
    if missing:
        terminal.note(f"Not there: {', '.join(missing)}.")
        raise typer.Exit(1)


def _delete(client: Client, ids: list[UUID], terminal: Terminal) -> None:

    deleted = [each for group in _groups(ids) for each in client.post("images/delete", {"ids": group})["deleted"]]
    terminal.document({"deleted": deleted})
    if deleted:
        command = f"`imagomortis delete --undo {' '.join(deleted)}`"
        undo = command if len(deleted) <= FEW else "the same command with --undo"
        terminal.line(f"{count(len(deleted), 'image')} deleted. Within a minute {undo} undoes that.")
    _end([str(image_id) for image_id in ids if str(image_id) not in deleted], terminal)


def _delete_all(client: Client, terminal: Terminal, *, yes: bool) -> None:

    total = client.stats()["images"]["total"]
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is nobody to ask whether all should go; say --yes", param_hint="--all")
        typer.confirm(f"Delete {count(total, 'image')}, which is all there is?", abort=True, err=True)
    client.delete("all")
    terminal.document({"deleted": total})
    terminal.line(f"{count(total, 'image')} deleted. Within a minute `imagomortis delete --all --undo` undoes that.")


def _restore(client: Client, ids: list[UUID], terminal: Terminal) -> None:

    wanted: Iterable[dict[str, Any]] = [{"ids": group} for group in _groups(ids)] if ids else [{"all": True}]
    restored = sum(int(client.post("images/restore", each)["count"]) for each in wanted)
    terminal.document({"restored": restored})
    terminal.line(f"{count(restored, 'image')} brought back.")
    if restored < len(ids):
        terminal.note(f"{len(ids) - restored:,} not deleted, or purged already.")
        raise typer.Exit(1)


def _groups(ids: list[UUID]) -> Iterator[list[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield [str(image_id) for image_id in ids[start : start + AT_ONCE]]


def _row(image: ImageDocument) -> tuple[str, ...]:

    return image["id"], image["filename"], image["size"], image["resolution"], _state(image), age(image["created_at"])


def _state(image: ImageDocument) -> str:
    """Return the state, with how far it is while it is processed."""
    steps = image["job"]["progress"].values()
    return f"{image['state']} {sum(steps) // len(steps)}%" if steps else image["state"]


def _show(info: InfoDocument, client: Client, terminal: Terminal) -> None:

    facts = [
        ("id", info["id"]),
        ("name", info["filename"]),
        ("created", f"{info['created_at']} ({age(info['created_at'])} ago)"),
        ("original", f"{info['media_type']}, {info['resolution']}, {info['size']}, SHA-256 {info['sha256']}"),
        ("recipe", info["recipe_name"] or f"its own, {info['recipe_digest']}"),
        ("state", _state(info)),
        *(
            (each["kind"], f"{each['media_type']}, {each['width']}x{each['height']}, {size(each['bytes'])}")
            for each in info["renditions"]
        ),
        *((f"attempt {each['attempt']}", _attempt(each)) for each in info["attempts"]),
        ("run", _run(info)),
        *((name, client.api(link)) for name, link in _links(info)),
    ]
    terminal.facts(facts)


def _run(info: InfoDocument) -> str:
    if info["run_url"]:
        return info["run_url"]
    if info["attempts"] and info["attempts"][-1]["run_expired"]:
        return "expired: Dagster keeps its runs for a while only"
    return info["job"]["job_id"] or "not begun"


def _attempt(attempt: AttemptDocument) -> str:
    seconds = f" after {attempt['seconds']:.2f} s" if attempt["seconds"] is not None else ""
    cause = f": {attempt['error']}" if attempt["error"] else ""
    run = f"run {attempt['run_id']}{' (expired)' if attempt['run_expired'] else ''}"
    return f"{attempt['outcome']}{seconds}, {attempt['started_at']}, {run}{cause}"


def _links(info: InfoDocument) -> Iterator[tuple[str, str]]:
    yield "original at", info["links"]["original"]
    if info["links"]["processed"]:
        yield "processed at", info["links"]["processed"]
    if info["links"]["thumbnail"]:
        yield "thumbnail at", info["links"]["thumbnail"]
