"""Implements `imagomortis list`, `show`, `retry` and `delete`."""

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
from imagomortis_cli.remote.documents import (
    AttemptDocument,
    ExportDocument,
    ImageDocument,
    InfoDocument,
    RenditionDocument,
)
from imagomortis_cli.terminal import Terminal, age, count, size

app = typer.Typer()


AT_ONCE = 5000
"""The number of ids in one request; the API takes up to 10,000."""

FEW = 5
"""The largest number of ids that a line shows."""


@app.command("list")
def list_images(
    *,
    state: Annotated[
        list[State] | None, typer.Option("--state", "-s", help="Only images in this state; can be repeated.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Only images whose file name contains this text.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="Only images with this recipe, by name or digest.")
    ] = None,
    trash: Annotated[bool, typer.Option("--trash", help="The images in the trash.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="At most so many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", "-a", help="All images, without a limit.")] = False,
    as_json: AsJson = False,
) -> None:
    """List images, newest first."""
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        states = [each.value for each in state] if state else None
        # one more than are shown, to know whether there are more
        most = None if everything else limit + 1
        found = client.images(most, state=states, name=name, recipe=recipe, trash=trash or None)
        shown = found if everything else islice(found, limit)
        if as_json:
            terminal.documents(shown)
            return
        terminal.table(["ID", "NAME", "SIZE", "RESOLUTION", "STATE", "AGE"], map(_row, shown))
        if not everything and next(found, None):
            terminal.note(f"The newest {limit:,}; there are more (--limit, --all).")


@app.command()
def show(
    image_id: Annotated[UUID, typer.Argument(metavar="ID", help="The id of an image, as `list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show everything about an image: renditions, attempts with their errors, addresses."""
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
    """Process done or failed images again."""
    wanted = chosen(ids, "--failed", is_alternative=failed)
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        retried, missing = (client.post("retry")["retried"], []) if failed else _retry(client, wanted)
    terminal.document({"retried": retried, "missing": missing})
    waiting = len(wanted) - retried - len(missing)
    terminal.line(f"{count(retried, 'image')} queued again." + (f" {waiting:,} already queued." if waiting > 0 else ""))
    _end(missing, terminal)


@app.command()
def delete(
    ids: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All images.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete all without asking.")] = False,
    permanently: Annotated[
        bool, typer.Option("--permanently", help="Not into the trash, if there is one; also images in the trash.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Restore images from the trash, or that were deleted in the last minute.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete images with their originals and renditions; --undo restores them while they are in the trash.

    Without a trash (IMAGOMORTIS_TRASH_DAYS), that is possible for a minute. `list --trash` lists the trash.

    Dagster keeps small thumbnails for a while, in the run of their hour: see docs/runbook.md, Retention.
    """
    wanted = chosen(ids, "--all", is_alternative=everything)
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        if undo:
            _restore(client, wanted, terminal)
        elif everything:
            _delete_all(client, terminal, yes=yes, permanently=permanently)
        else:
            _delete(client, wanted, terminal, permanently=permanently)


def _retry(client: Client, ids: list[UUID]) -> tuple[int, list[str]]:
    """Queue images again by one request each; return the number of queued images, and the ids of missing ones."""
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
    """Report the missing images, and exit with 1 if there are any."""
    if missing:
        terminal.note(f"Not found: {', '.join(missing)}.")
        raise typer.Exit(1)


def _delete(client: Client, ids: list[UUID], terminal: Terminal, *, permanently: bool) -> None:
    how = {"permanently": True} if permanently else {}
    answers = [client.post("images/delete", {"ids": group, **how}) for group in _groups(ids)]
    deleted = [each for answer in answers for each in answer["deleted"]]
    terminal.document({"deleted": deleted})
    if deleted:
        command = f"`imagomortis delete --undo {' '.join(deleted)}`"
        undo = command if len(deleted) <= FEW else "the same command with --undo"
        terminal.line(f"{count(len(deleted), 'image')} deleted. {undo} restores them {_until(client, permanently)}.")
    _end([str(image_id) for image_id in ids if str(image_id) not in deleted], terminal)


def _until(client: Client, permanently: bool) -> str:
    """Say until when a deletion can be undone; a server of before has no trash."""
    trash = client.stats().get("trash")
    return f"within {trash['days']:g} days" if trash and trash["days"] and not permanently else "within a minute"


def _delete_all(client: Client, terminal: Terminal, *, yes: bool, permanently: bool) -> None:
    total = client.stats()["images"]["total"]
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter(
                "this is not a terminal, so the question whether to delete all cannot be asked; add --yes",
                param_hint="--all",
            )
        typer.confirm(f"Delete all images ({total:,})?", abort=True, err=True)
    client.delete("all", **({"permanently": True} if permanently else {}))
    terminal.document({"deleted": total})
    until = _until(client, permanently)
    terminal.line(f"{count(total, 'image')} deleted. `imagomortis delete --all --undo` restores them {until}.")


def _restore(client: Client, ids: list[UUID], terminal: Terminal) -> None:
    wanted: Iterable[dict[str, Any]] = [{"ids": group} for group in _groups(ids)] if ids else [{"all": True}]
    restored = sum(int(client.post("images/restore", each)["count"]) for each in wanted)
    terminal.document({"restored": restored})
    terminal.line(f"{count(restored, 'image')} restored.")
    if restored < len(ids):
        terminal.note(f"{len(ids) - restored:,} cannot be restored: not deleted, or purged already.")
        raise typer.Exit(1)


def _groups(ids: list[UUID]) -> Iterator[list[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield [str(image_id) for image_id in ids[start : start + AT_ONCE]]


def _row(image: ImageDocument) -> tuple[str, ...]:
    return image["id"], image["filename"], image["size"], image["resolution"], _state(image), age(image["created_at"])


def _state(image: ImageDocument) -> str:
    """Return the state, with the progress of an image in processing."""
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
        *((each["name"], _rendition(each)) for each in info["outputs"]),
        *(("thumbnail", _rendition(each)) for each in info["renditions"] if each["kind"] == "thumbnail"),
        *((f"attempt {each['attempt']}", _attempt(each)) for each in info["attempts"]),
        *(("export", each) for each in _export(info.get("export"))),
        ("run", _run(info)),
        *((name, client.api(link)) for name, link in _links(info)),
    ]
    terminal.facts(facts)


def _rendition(found: RenditionDocument) -> str:
    return f"{found['media_type']}, {found['width']}x{found['height']}, {size(found['bytes'])}"


def _run(info: InfoDocument) -> str:
    if info["run_url"]:
        return info["run_url"]
    if info["attempts"] and info["attempts"][-1]["run_expired"]:
        return "expired: Dagster keeps runs only for a while"
    return info["job"]["job_id"] or "not begun"


def _export(export: ExportDocument | None) -> list[str]:
    if export is None:
        return []
    if export["exported_at"]:
        return [f"{url}, {export['exported_at']}" for url in export["urls"]]
    failed = export["failed_attempts"]
    cause = f"; failed {'once' if failed == 1 else f'{failed} times'}: {export['error']}" if failed else ""
    return [f"to {export['target']} at {export['next_try_at']}{cause}"]


def _attempt(attempt: AttemptDocument) -> str:
    seconds = f" after {attempt['seconds']:.2f} s" if attempt["seconds"] is not None else ""
    cause = f": {attempt['error']}" if attempt["error"] else ""
    run = f"run {attempt['run_id']}{' (expired)' if attempt['run_expired'] else ''}"
    return f"{attempt['outcome']}{seconds}, {attempt['started_at']}, {run}{cause}"


def _links(info: InfoDocument) -> Iterator[tuple[str, str]]:
    yield "original at", info["links"]["original"]
    if info["links"]["processed"]:
        yield "processed at", info["links"]["processed"]
    yield from ((f"{each['name']} at", each["url"]) for each in info["outputs"] if each["name"] != "processed")
    if info["links"]["thumbnail"]:
        yield "thumbnail at", info["links"]["thumbnail"]
