"""Implements `imagomortis status`, `pause` and `resume`."""

from __future__ import annotations

import typer

from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.documents import StatsDocument
from imagomortis_cli.terminal import Terminal, age, count, duration, size

app = typer.Typer()


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the system's figures: images by state, queue, rate, workers, disk usage."""
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        stats = client.stats()
        terminal.document(stats)
        if not as_json:
            terminal.line(f"{client.origin}{' - PAUSED' if stats['paused'] else ''}")
            _show(stats, terminal)


@app.command()
def pause(as_json: AsJson = False) -> None:
    """Stop the processing of further images until `resume`. Uploads go on, and current images are finished."""
    _switch("pause", "Processing is paused. Continue it with `imagomortis resume`.", as_json=as_json)


@app.command()
def resume(as_json: AsJson = False) -> None:
    """Continue the processing of images."""
    _switch("resume", "Processing continues.", as_json=as_json)


def _switch(path: str, text: str, *, as_json: bool) -> None:
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        terminal.document(client.post(path))
    terminal.line(text)


def _show(stats: StatsDocument, terminal: Terminal) -> None:
    oldest = stats["queue"]["oldest_seconds"]
    waiting = f", the oldest for {duration(oldest)}" if oldest is not None else ""
    counts, storage = stats["images"], stats["storage"]
    facts = [
        ("images", f"{counts['total']:,}: {counts['done']:,} done, {counts['failed']:,} failed"),
        ("queue", f"{stats['queue']['depth']:,} waiting{waiting}; {counts['processing']:,} in processing"),
        ("rate", f"{count(stats['rate']['last_minute'], 'image')} done in the last minute"),
        ("workers", f"{stats['workers']:,}"),
        ("paused", f"for {age(stats['paused_at'])}" if stats["paused_at"] else "no"),
        ("storage", f"{size(storage['originals'])} originals, {size(storage['renditions'])} renditions"),
        *([("object store", size(storage["objects"]))] if storage.get("objects") else []),
        ("database", size(storage["database"])),
        *stats["links"].items(),
    ]
    terminal.facts(facts)
