"""Implements `imagomortis retention`: deletes expired runs, attempts and pictures, or only counts them."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from imagomortis import storage
from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.machine import running
from imagomortis_cli.terminal import Terminal

app = typer.Typer()


@app.command()
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete expired runs of Dagster, expired attempts, and expired pictures if the settings say so.

    A running system does this by itself each hour. Uses the databases directly, as `backup` does.
    """
    from imagomortis_cli.upkeep import dagster_instance, database_access
    from imagomortis_pipeline.upkeep.retention import Terms, expire, expiring  # with Dagster, half a second

    terminal = Terminal(is_json=as_json)
    settings = running.settings_of(Settings.read())
    terms, now = Terms.of(settings), datetime.now(UTC)
    with (
        database_access.any_time(settings) as where,
        Catalog(where.catalog, objects=storage.opened(settings)) as catalog,
    ):
        if where.dagster is None:
            raise Unavailable("Dagster has never run on this database, so nothing can have expired.")
        with dagster_instance.opened(settings, where.dagster) as instance:
            found = (
                expiring(instance, catalog, terms, now)
                if dry_run
                else expire(instance, catalog, terms, now, until=math.inf)
            )
    terminal.document({"dry_run": dry_run, **asdict(found)})
    terminal.line(f"{'Would be deleted' if dry_run else 'Deleted'}: {found}.")
