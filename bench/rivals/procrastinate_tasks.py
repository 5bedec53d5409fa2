"""Processes one image per task with procrastinate: the task, and the programs that set up, feed and work."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from pathlib import Path
from typing import Any

from procrastinate import App, PsycopgConnector

from bench.rivals.one_image import Processor, say_ready, tasks
from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_DATABASE"]))


@cache
def _processor() -> Processor:
    return Processor(os.environ["BENCH_DATABASE"])


@app.task(name="process")
def process(**task: Any) -> None:
    """Process one image."""
    _processor().process(**task)


def set_up() -> None:
    """Create procrastinate's tables and functions beside the catalog's."""
    with app.open():
        app.schema_manager.apply_schema()
    say_ready()


def work() -> None:
    """Do tasks, for ever."""
    _processor()
    asyncio.run(_work())


async def _work() -> None:
    async with app.open_async():
        say_ready()
        await app.run_worker_async(concurrency=1)


def feed(spool: str) -> None:
    """Enqueue the entries of the spool, for ever."""
    with Catalog(os.environ["BENCH_DATABASE"]) as catalog, app.open():
        say_ready()
        for batch in tasks(Spool(Path(spool)), catalog):
            process.batch_defer(*batch)
