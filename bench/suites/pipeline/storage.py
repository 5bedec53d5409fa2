"""Measures object storage against Postgres: pictures per second, processor time, growth of Postgres, and served bytes.

python -m bench storage
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psutil
from obstore.store import MemoryStore

from bench.figure import Figure
from bench.rivals.contest import await_all_done, bare, fresh
from bench.services import running
from bench.suites.api import fetch
from bench.suites.pipeline.entries import release, stage
from imagomortis.catalog import Catalog
from imagomortis.recipe.recipe import DEFAULT, builtin
from imagomortis.spool.spool import Spool
from imagomortis.storage import original_name
from imagomortis.storage.object_store import ObjectStore
from imagomortis_cli.machine.postgres import embedded
from tests.support import object_storage
from tests.support.object_storage import BUCKET, S3Server
from tests.support.pictures import photo
from tests.support.running_system import free_ports
from tests.support.uploads import result, upload

ROUNDS: Final = 3
"""Rounds in which the storages take turns, so that all see the same load of the machine."""

SIZES: Final = {"25 KB": (384, 256, 200), "2 MP": (1732, 1155, 30)}
"""Width and height in pixels, and pictures per turn."""

GROWN: Final = 2_000
"""Pictures that Postgres grows by. Fewer would measure the first pages of its tables and indexes."""

TOGETHER: Final = 50
"""Pictures in one transaction while Postgres grows."""

SERVED: Final = 200
"""Pictures that are fetched per turn."""

POSTGRES: Final = "Postgres"

PROGRAMS: Final = frozenset({"bench.suites.floors.pipeline", "imagomortis.sandbox.child"})
"""The modules of processes whose processor time counts; that of the servers does not."""


@dataclass(frozen=True)
class Turn:
    """The result of one turn: pictures per second, and CPU-ms per picture."""

    rate: float
    cpu: float


def run() -> Iterator[Figure]:
    """Measure the pipeline with each storage, the growth of Postgres, and the API's bytes against the store itself."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as name, object_storage.running() as s3:
        folder = Path(name)
        with embedded.running(embedded.prepare(folder / "home")) as server:
            yield from _pipeline(server.superuser_url("postgres"), folder, s3)
            yield _growth(server.superuser_url("postgres"))
            yield from _served(server.superuser_url("postgres"), s3)


def _pipeline(server: str, folder: Path, s3: S3Server) -> Iterator[Figure]:
    storages = {POSTGRES: {}, "a folder": {"IMAGOMORTIS_STORAGE": f"file://{folder}/objects"}, "SeaweedFS": _of(s3)}
    for size, (width, height, count) in SIZES.items():
        datas = [photo(width, height, seed, 95 if count > 100 else 75) for seed in range(min(count, 10))]
        turns: dict[str, list[Turn]] = {each: [] for each in storages}
        for number in range(ROUNDS):
            for each in storages if number % 2 else reversed(storages):
                turns[each].append(_turn(server, folder, storages[each], datas, count))
        floor = _median(turns[POSTGRES])
        for each in storages:
            found = _median(turns[each])
            what = f"{size} pictures with {each}"
            is_floor = each == POSTGRES
            yield Figure(
                what, found.rate, "pictures/s", None if is_floor else floor.rate, at_least=None if is_floor else 0.85
            )
            yield Figure(f"  processor time of {what}", found.cpu, "ms each", None if is_floor else floor.cpu)


def _turn(server: str, folder: Path, variables: Mapping[str, str], datas: list[bytes], count: int) -> Turn:
    staging = Spool(folder / "staging")
    stage(staging, count, datas)
    with bare(server, variables) as (spool, catalog):
        cpu, began = _cpu(), time.perf_counter()
        release(staging, spool)
        await_all_done(spool, catalog)
        taken, cpu = time.perf_counter() - began, _cpu() - cpu
        return Turn(count / taken, cpu * 1000 / count)


def _cpu() -> float:
    """Return the processor seconds so far of the bare loops and their decoders."""
    children = psutil.Process().children(recursive=True)
    ours = [each for each in children if PROGRAMS & {*each.cmdline()}]
    return sum(sum(each.cpu_times()[:2]) for each in ours)


def _growth(server: str) -> Figure:
    """Measure what Postgres keeps of a picture whose bytes are in an object store."""
    with fresh(server) as (_, found), Catalog(found.database.conninfo, objects=ObjectStore(MemoryStore())) as catalog:
        _process(catalog, GROWN // 4)
        before = _size(catalog)
        _process(catalog, GROWN)
        growth = (_size(catalog) - before) / GROWN
    return Figure("growth of Postgres with an object store", growth / 1000, "KB each", at_most=3)


def _process(catalog: Catalog, count: int) -> None:
    recipe, run = builtin()[DEFAULT].recipe, str(uuid4())
    fields = {"recipe": recipe.as_json(), "recipe_digest": recipe.digest, "recipe_name": DEFAULT}
    for _ in range(0, count, TOGETHER):
        catalog.queue.add([(upload(b"bytes", **fields), b"bytes") for _ in range(TOGETHER)])
        lease = catalog.queue.lease(run, TOGETHER, 600)
        assert lease is not None
        catalog.queue.save(lease.token, [result(image) for image in lease.images])


def _size(catalog: Catalog) -> int:
    with catalog.database.connection() as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_database_size(current_database()) AS bytes").fetchone()
    assert row is not None
    return int(row["bytes"])


def _median(turns: list[Turn]) -> Turn:
    return Turn(*(statistics.median(getattr(turn, name) for turn in turns) for name in ("rate", "cpu")))


def _of(s3: S3Server) -> dict[str, str]:
    place = {"IMAGOMORTIS_STORAGE": f"s3://{BUCKET}/bench", "IMAGOMORTIS_STORAGE_ENDPOINT": s3.endpoint}
    return {**s3.variables, **place}


def _served(server: str, s3: S3Server) -> Iterator[Figure]:
    store = ObjectStore.of(f"s3://{BUCKET}/bench", s3.endpoint, s3.variables)
    with fresh(server) as (_, catalog):
        port, metrics = free_ports(2)
        settings = {"IMAGOMORTIS_API_PORT": port, "IMAGOMORTIS_API_METRICS_PORT": metrics}
        settings |= {"DATABASE_URL": catalog.database.conninfo, **_of(s3)}
        with running("api_service", port, settings=settings), Catalog(catalog.database.conninfo, 4, 15, store) as own:
            for size, (width, height, _) in SIZES.items():
                image_id = _add(own, photo(width, height))
                link = urlsplit(store.link(original_name(image_id)))
                rates = _fetched({port: f"/images/{image_id}/original", link.port or 0: f"{link.path}?{link.query}"})
                yield Figure(
                    f"bytes of {size} pictures from SeaweedFS", rates[port], "pictures/s", rates[link.port or 0], 0.7
                )


def _add(catalog: Catalog, data: bytes) -> UUID:
    [image_id] = catalog.queue.add([(upload(data), data)])
    return image_id


def _fetched(paths: Mapping[int, str]) -> dict[int, float]:
    """Return the pictures per second of each port."""
    seconds = dict.fromkeys(paths, 0.0)
    for turn in range(-1, ROUNDS):
        for port in paths if turn % 2 else reversed(list(paths)):
            taken = asyncio.run(fetch(port, paths[port], SERVED))
            if turn >= 0:  # an additional turn warms both up
                seconds[port] += taken
    return {port: ROUNDS * SERVED / taken for port, taken in seconds.items()}
