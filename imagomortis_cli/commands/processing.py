"""`imagomortis status`, `pause` and `resume`: the processing as a whole."""

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
    """Show how the system is: images by state, what waits, how fast it goes, who works, what it takes on disk."""
    terminal = Terminal(is_json=as_json)
    with Client.of(Settings.read()) as client:
        stats = client.stats()
        terminal.document(stats)
        if not as_json:
            terminal.line(f"{client.origin}{' - PAUSED' if stats['paused'] else ''}")
            _show(stats, terminal)


@app.command()
def pause(as_json: AsJson = False) -> None:
    """Let no further image be processed until `resume`; uploads go on, and what is under way is finished."""
    _switch("pause", "Processing is paused; `imagomortis resume` lets it go on.", as_json=as_json)


@app.command()
def resume(as_json: AsJson = False) -> None:
    """Let images be processed again."""
    _switch("resume", "Processing goes on.", as_json=as_json)


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
        ("database", size(storage["database"])),
        *stats["links"].items(),
    ]
    terminal.facts(facts)
