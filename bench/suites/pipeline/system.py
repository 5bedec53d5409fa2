"""Gives the measurements access to the running system: its spool, Dagster's database, and whether it is idle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool
from imagomortis_cli.machine.postgres import databases
from tests.support.running_system import Stack

UNFINISHED_RUNS = "SELECT 1 FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED') LIMIT 1"


def spool_of(stack: Stack) -> Spool:
    """Return the spool of the system."""
    return Spool(stack.home / "spool")


def ask_dagster(stack: Stack, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement on Dagster's database and return its rows."""
    url = databases.from_dagster(stack.variables()["IMAGOMORTIS_DAGSTER_DATABASE_URL"])
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def event_rows(stack: Stack) -> int:
    """Count the rows of Dagster's event log."""
    [(rows,)] = ask_dagster(stack, "SELECT count(*) FROM event_logs")
    return int(rows)


def await_idle(stack: Stack, catalog: Catalog, seconds: float = 60) -> None:
    """Wait until no worker is alive and every run is over."""
    until = time.monotonic() + seconds
    while catalog.workers.alive() or ask_dagster(stack, UNFINISHED_RUNS):
        if time.monotonic() > until:
            raise RuntimeError(f"The workers did not leave within {seconds:g} s.")
        time.sleep(0.2)


@contextmanager
def idle(stack: Stack) -> Iterator[tuple[Spool, Catalog]]:
    """Yield the system as a contender without a worker; at the end, wait until the last worker has left."""
    with stack.catalog() as catalog:
        await_idle(stack, catalog)
        yield spool_of(stack), catalog
        await_idle(stack, catalog)
