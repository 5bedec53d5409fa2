"""Implements `imagomortis up`: runs the whole system on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from imagomortis_cli.machine import up as machine

app = typer.Typer()


@app.command()
def up(raw: Annotated[bool, typer.Option("--json", help="Show the logs as JSON lines.")] = False) -> None:
    """Start the whole system on this machine and keep it running until Ctrl-C."""
    machine.run(raw=raw)
