"""Measures how many images many workers lease and save, and whether that costs more in a large catalog.

python -m bench scale

A worker here is a thread that leases images and saves small results at once. Only Postgres and the storage work.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

import psutil

from bench.figure import Figure
from bench.rivals.contest import fresh
from imagomortis.catalog import Catalog
from imagomortis.storage.object_store import ObjectStore
from imagomortis_cli.machine.postgres import embedded
from tests.support.uploads import result, upload

ROUNDS: Final = 3
"""Rounds in which the catalogs take turns, so that both see the same load of the machine."""

PROCESSES: Final = 4
THREADS: Final = 16
"""The workers: threads in few processes, because 64 processes would not fit into a small machine."""

SMALL: Final = 10_000
LARGE: Final = 2_000_000
QUICK: Final = 100_000
"""Images that were processed before."""

QUEUED: Final = 6_400
QUICKLY_QUEUED: Final = 1_600
"""Images that a turn leases and saves."""

BATCH: Final = 32
"""Images of a lease, as in the settings."""

INGESTED: Final = 64
"""Images that the pusher commits together."""

_OLD_IMAGES: Final = """
INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, recipe, recipe_digest,
                    recipe_name, state, attempt, run_id, leased_at, finished_at)
SELECT gen_random_uuid(), now() - number * interval '1 second', 'picture.jpg', 'image/jpeg',
       decode(repeat('00', 32), 'hex'), 25000, 384, 256, '{"steps": []}', repeat('0', 64), 'circles',
       'done', 1, 'run', now(), now()
FROM generate_series(1, %(rows)s) AS number;
"""

_THEIR_ROWS: Final = (
    "INSERT INTO originals (image_id) SELECT id FROM images",
    """INSERT INTO renditions (image_id, kind, media_type, width, height, size, sha256, recipe_digest)
       SELECT id, kind, 'image/jpeg', 4, 3, 9, sha256, recipe_digest
       FROM images, unnest(ARRAY['processed', 'thumbnail']) AS kind""",
    """INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at, seconds)
       SELECT id, 1, run_id, 'done', created_at, created_at, 0.1 FROM images""",
    "VACUUM ANALYZE",
    "CHECKPOINT",
)


@dataclass(frozen=True)
class Turn:
    """The result of one turn: images per second, and CPU-ms per image of workers and Postgres."""

    rate: float
    cpu: float


def run(*, quick: bool = False) -> Iterator[Figure]:
    """Measure both catalogs; ``quick`` takes fewer images."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(embedded.running(embedded.prepare(folder / "home")))
        catalogs: dict[int, str] = {}
        count = QUICKLY_QUEUED if quick else QUEUED
        for rows in (SMALL, QUICK if quick else LARGE):
            _, catalog = stack.enter_context(fresh(server.superuser_url("postgres")))
            catalogs[rows] = catalog.database.conninfo
            _fill(catalog, rows)
        turns: dict[int, list[Turn]] = {rows: [] for rows in catalogs}
        ingested: dict[int, list[float]] = {rows: [] for rows in catalogs}
        for number in range(ROUNDS):
            for rows in catalogs if number % 2 else reversed(catalogs):
                ingested[rows].append(_ingest(catalogs[rows], folder, count))
                turns[rows].append(_turn(catalogs[rows], folder, count))
        yield from _figures(turns, ingested)


def _figures(turns: dict[int, list[Turn]], ingested: dict[int, list[float]]) -> Iterator[Figure]:
    floor = None
    for rows, found in turns.items():
        yield Figure(f"ingested with {rows:,} images", statistics.median(ingested[rows]), "images/s")
        rate = statistics.median(turn.rate for turn in found)
        yield Figure(f"leased and saved by 64 workers with {rows:,} images", rate, "images/s", at_least=1000)
        cpu = statistics.median(turn.cpu for turn in found)
        yield Figure(f"  processor time with {rows:,} images", cpu, "ms each", floor, at_most=1.2 if floor else None)
        floor = floor or cpu


def _fill(catalog: Catalog, rows: int) -> None:
    with catalog.database.connection() as connection:
        connection.execute(_OLD_IMAGES, {"rows": rows})
        for statement in _THEIR_ROWS:
            connection.execute(statement)  # type: ignore[call-overload]


def _ingest(conninfo: str, folder: Path, count: int) -> float:
    """Queue the images of a turn in the pusher's way; return the images per second."""
    data = bytes(25_000)
    with Catalog(conninfo, objects=_objects(folder)) as catalog:
        began = time.perf_counter()
        for _ in range(0, count, INGESTED):
            catalog.queue.add([(upload(data, datetime.now(UTC)), data) for _ in range(INGESTED)])
        return count / (time.perf_counter() - began)


def _turn(conninfo: str, folder: Path, count: int) -> Turn:
    """Let all workers empty the queue."""
    postgres = _postmaster(conninfo)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as processes:
        for begun in [processes.submit(time.sleep, 0.5) for _ in range(PROCESSES)]:  # until all are there
            begun.result()
        before, began = _cpu(postgres), time.perf_counter()
        working: list[Future[tuple[int, float]]] = [
            processes.submit(_work, conninfo, str(folder)) for _ in range(PROCESSES)
        ]
        ended = [each.result() for each in working]
        taken = time.perf_counter() - began
    if (saved := sum(images for images, _ in ended)) != count:
        raise RuntimeError(f"Of {count} images {saved} were saved.")
    cpu = _cpu(postgres) - before + sum(seconds for _, seconds in ended)
    return Turn(count / taken, cpu * 1000 / count)


def _work(conninfo: str, folder: str) -> tuple[int, float]:
    """Work as THREADS workers; return how many images were saved, and the processor seconds."""
    before = time.process_time()
    objects = _objects(Path(folder))
    with Catalog(conninfo, THREADS, objects=objects) as catalog, ThreadPoolExecutor(THREADS) as threads:
        saved = sum(threads.map(lambda _: _drain(catalog), range(THREADS)))
    return saved, time.process_time() - before


def _drain(catalog: Catalog) -> int:
    saved, run_id = 0, str(uuid4())
    while lease := catalog.queue.lease(run_id, BATCH, 600):
        saved += len(catalog.queue.save(lease.token, [result(image) for image in lease.images]))
    return saved


def _objects(folder: Path) -> ObjectStore:
    return ObjectStore.of(f"file://{folder}/objects")


def _postmaster(conninfo: str) -> psutil.Process:
    with Catalog(conninfo) as catalog, catalog.database.connection() as connection:
        row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
        assert row is not None
        found = psutil.Process(row["pid"]).parent()
    assert found is not None
    return found


def _cpu(postgres: psutil.Process) -> float:
    """Return the processor seconds so far of the server, with those of the connections that have ended."""
    return sum(sum(each.cpu_times()[:4]) for each in (postgres, *postgres.children()))
