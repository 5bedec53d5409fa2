"""Measures contenders on the same pictures, one contender after the other.

A contender is a context manager. It starts what it needs, yields a spool and a catalog, and ends everything after the
block.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
from psycopg import sql

from bench.suites.pipeline.entries import release, stage
from imagomortis.catalog import Catalog, migrate
from imagomortis.spool.spool import Spool
from imagomortis_cli.machine.postgres import databases
from tests.support.running_system import ROOT

Contender = Callable[[], AbstractContextManager[tuple[Spool, Catalog]]]

GIVE_UP_SECONDS = 600


@dataclass(frozen=True)
class Program:
    """A process of a contender: its arguments, its variables, and the number of lines that it prints when ready."""

    words: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)
    lines: int = 1


def rate(contender: Contender, folder: Path, count: int) -> float:
    """Return the contender's pictures per second, for ``count`` pictures that appear in its spool at once.

    ``folder`` is on the spool's disk.
    """
    staging = Spool(folder / "staging")
    stage(staging, count)
    with contender() as (spool, catalog):
        before = _done(catalog)
        began = time.perf_counter()
        release(staging, spool)
        await_all_done(spool, catalog)
        taken = time.perf_counter() - began
        if (done := _done(catalog) - before) != count:
            raise RuntimeError(f"Of {count} pictures {done} were done.")
    return count / taken


def await_all_done(spool: Spool, catalog: Catalog) -> None:
    """Wait until the spool is empty and every image is done."""
    until = time.monotonic() + GIVE_UP_SECONDS
    # a picture that leaves the spool is in the catalog already
    while spool.scan(1) or _is_unfinished(catalog):
        if time.monotonic() > until:
            raise RuntimeError(f"Not all pictures were done within {GIVE_UP_SECONDS} s.")
        time.sleep(0.05)


def _is_unfinished(catalog: Catalog) -> bool:
    """Whether an image is queued or in processing; this reads a small index."""
    with catalog.database.connection() as connection:
        row = connection.execute("SELECT 1 FROM images WHERE state <> 'done' AND deleted_at IS NULL LIMIT 1").fetchone()
    return row is not None


def _done(catalog: Catalog) -> int:
    with catalog.database.connection() as connection:
        row = connection.execute("SELECT count(*) AS images FROM images WHERE state = 'done'").fetchone()
    assert row is not None
    return int(row["images"])


@contextmanager
def bare(server: str, variables: Mapping[str, str] | None = None) -> Iterator[tuple[Spool, Catalog]]:
    """Yield the floor: bare loops on a new database of ``server``, perhaps with settings as variables."""
    with fresh(server) as (spool, catalog):
        conninfo = catalog.database.conninfo
        given = dict(variables or {})
        ingesting = Program(["-m", "bench.suites.floors.pipeline", "ingest", conninfo, str(spool.folder)], given)
        working = Program(["-m", "bench.suites.floors.pipeline", "work", conninfo], given)
        with running(ingesting, working, working):
            yield spool, catalog


@contextmanager
def fresh(server: str) -> Iterator[tuple[Spool, Catalog]]:
    """Yield an empty spool, and the catalog of a new database; both are removed after the block."""
    name = f"bench_{uuid4().hex}"
    databases.ensure(server, name)
    conninfo = databases.named(server, name)
    try:
        migrate(conninfo)
        with TemporaryDirectory(prefix="imagomortis-bench-") as folder, Catalog(conninfo) as catalog:
            spool = Spool(Path(folder))
            spool.prepare()
            yield spool, catalog
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Run programs of this Python during the block, which begins when all are ready."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_running(program)) for program in programs]
        for program, process in zip(programs, processes, strict=True):
            assert process.stdout is not None
            if not all(process.stdout.readline() for _ in range(program.lines)):
                raise RuntimeError(f"{' '.join(program.words)} ended with code {process.wait()}.")
        yield


@contextmanager
def _running(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, *program.words]
    environment = {**os.environ, **program.variables}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
