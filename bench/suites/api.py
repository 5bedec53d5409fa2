"""Measures the API: lists of many rows against few, image bytes against a bare loop, and previews.

python -m bench.suites.api
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg

from bench.figure import Figure, show
from bench.services import running
from imagomortis.catalog import Catalog, migrate
from imagomortis.settings import with_database
from imagomortis_cli.machine.postgres import embedded
from tests.support.pictures import photo
from tests.support.running_system import free_ports
from tests.support.uploads import upload

FEW: Final = 10_000
MANY: Final = 1_000_000
"""Rows of the two compared catalogs."""

LISTS: Final = 300
"""Requests for a list of each catalog, in turns."""

CLIENTS: Final = 4
"""Simultaneous connections that fetch bytes."""

ROUNDS: Final = 7
"""Rounds in which service and floor take turns, so that both see the same load of the machine."""

SIZES: Final = {"25 KB": (480, 320, 400), "2 MP": (1732, 1155, 200), "12 MP": (4243, 2828, 60)}
"""Width and height in pixels, and pictures per turn."""

PREVIEWS: Final = 25

_ROWS = """
INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest,
                    recipe_name, attempt, run_id, leased_at, finished_at)
SELECT gen_random_uuid(), now() - number * interval '1 second', 'picture-' || number || '.jpg', 'image/jpeg',
       sha256(number::text::bytea), 25000, 384, 256, 'done', '{"steps": [{"transform": "circles"}]}', repeat('0', 64),
       'circles', 1, 'run-' || number / 300, now(), now()
FROM generate_series(1, %s) AS number
"""

_RENDITIONS = """
INSERT INTO renditions (image_id, kind, media_type, width, height, size, sha256, recipe_digest, bytes)
SELECT id, kind, 'image/jpeg', 384, 256, 5, sha256(id::text::bytea), recipe_digest, 'bytes'
FROM images, (VALUES ('processed'), ('thumbnail')) AS kinds (kind)
"""

_FILTERS: Final = {"state=failed": "state=failed", "a name that none has": "name=zebra", "the middle of all": ""}


def run() -> list[Figure]:
    """Measure lists of both catalogs, pictures per second against the bare loop, and previews."""
    with tempfile.TemporaryDirectory(prefix="imagomortis-bench-") as folder:
        home = Path(folder)
        with embedded.running(embedded.prepare(home)) as server:
            return [*_lists(server), *_pictures(server)]


def _lists(server: embedded.EmbeddedServer) -> list[Figure]:
    few, many = _catalog(server, "few", FEW), _catalog(server, "many", MANY)
    with _service(few) as few_port, _service(many) as many_port:
        times = asyncio.run(_time_lists({few: few_port, many: many_port}))
        others = [_other(name, query, many_port) for name, query in _FILTERS.items()]
        stats = statistics.median(asyncio.run(_times(many_port, "/stats", 20)))
    return [
        Figure(
            f"GET /images at {MANY:,} rows, median",
            statistics.median(times[many]),
            "ms",
            floor=statistics.median(times[few]),
            at_most=1.5,
        ),
        Figure(f"GET /images at {MANY:,} rows, p95", _p95(times[many]), "ms", at_most=15),
        *others,
        Figure(f"GET /stats at {MANY:,} rows, median", stats, "ms"),
    ]


def _other(name: str, query: str, port: int) -> Figure:
    if not query:
        query = "since=1970-01-01T00:00:00Z&cursor=" + _middle(port)
    return Figure(
        f"GET /images at {MANY:,} rows: {name}, p95", _p95(asyncio.run(_times(port, f"/images?{query}", 50))), "ms"
    )


def _middle(port: int) -> str:
    """Return the cursor behind the 5,000th image."""
    cursor, query = "", "limit=1000"
    for _ in range(5):
        head, _ = asyncio.run(_get(port, f"/images?{query}"))
        cursor = head.partition("cursor=")[2].partition(">")[0]
        query = f"limit=1000&cursor={cursor}"
    return cursor


async def _time_lists(ports: dict[str, int]) -> dict[str, list[float]]:
    """Request lists of both catalogs in turns; the first tenth is a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ports}
    for turn in range(LISTS + LISTS // 10):
        for name, port in ports.items():
            [taken] = await _times(port, "/images", 1)
            if turn >= LISTS // 10:
                times[name].append(taken)
    return times


def _pictures(server: embedded.EmbeddedServer) -> list[Figure]:
    conninfo = _database(server, "pictures")
    ids = {name: _store(conninfo, width, height) for name, (width, height, _) in SIZES.items()}
    with _service(conninfo) as port, _floor(conninfo) as floor_port:
        rates = [_rate(name, image_id, port, floor_port) for name, (image_id, _) in ids.items()]
        preview = asyncio.run(_previews(port, ids["12 MP"][0]))
    return [
        *(
            Figure(f"bytes of {name} pictures, {CLIENTS} clients", own, "pictures/s", floor=floor, at_least=0.7)
            for name, (own, floor) in zip(SIZES, rates, strict=True)
        ),
        Figure("preview of 12 MP, median", statistics.median(preview), "ms", at_most=300),
        Figure("preview of 12 MP, slowest", max(preview), "ms", at_most=300),
    ]


def _rate(name: str, image_id: UUID, port: int, floor_port: int) -> tuple[float, float]:
    count = SIZES[name][2]
    seconds = {port: 0.0, floor_port: 0.0}
    for turn in range(-1, ROUNDS):
        for each in seconds if turn % 2 else reversed(seconds):
            taken = asyncio.run(fetch(each, f"/images/{image_id}/original", count))
            if turn >= 0:  # an additional turn warms both up
                seconds[each] += taken
    return ROUNDS * count / seconds[port], ROUNDS * count / seconds[floor_port]


async def fetch(port: int, path: str, count: int) -> float:
    """Fetch a picture ``count`` times over CLIENTS connections; return the seconds."""
    waiting = iter(range(count))
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, path, waiting) for _ in range(CLIENTS)))
    return time.perf_counter() - began


async def _client(port: int, path: str, waiting: Iterator[int]) -> None:
    reader, writer = await _connect(port)
    for _ in waiting:
        await _ask(reader, writer, _request("GET", path, host=f"127.0.0.1:{port}"))
    writer.close()
    await writer.wait_closed()


async def _times(port: int, path: str, count: int) -> list[float]:
    """Return the milliseconds of each of ``count`` requests on one connection, after a first one that opens it."""
    reader, writer = await _connect(port)
    times = []
    for _ in range(count + 1):
        began = time.perf_counter()
        await _ask(reader, writer, _request("GET", path))
        times.append((time.perf_counter() - began) * 1e3)
    writer.close()
    return times[1:]


async def _get(port: int, path: str) -> tuple[str, bytes]:
    reader, writer = await _connect(port)
    answer = await _ask(reader, writer, _request("GET", path))
    writer.close()
    return answer


async def _previews(port: int, image_id: UUID) -> list[float]:
    reader, writer = await _connect(port)
    times = []
    for number in range(PREVIEWS + 2):
        body = json.dumps({"recipe": {"steps": [{"transform": "circles", "seed": number}]}}).encode()
        began = time.perf_counter()
        await _ask(reader, writer, _request("POST", f"/images/{image_id}/preview", body))
        times.append((time.perf_counter() - began) * 1e3)
    writer.close()
    return times[2:]  # the first ones start the decoder


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=2**23)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[str, bytes]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith("http/1.1 200 "):
        raise RuntimeError(f"{request[:80]!r} failed: {head} {body[:1000]!r}")
    return head, body


def _request(method: str, path: str, body: bytes = b"", host: str = "localhost") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + body


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _catalog(server: embedded.EmbeddedServer, name: str, rows: int) -> str:
    """Return the conninfo of a new catalog with ``rows`` images in the state done."""
    conninfo = _database(server, name)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_ROWS, [rows])
        connection.execute(_RENDITIONS)
        connection.execute("VACUUM ANALYZE")
    return conninfo


def _database(server: embedded.EmbeddedServer, name: str) -> str:
    with psycopg.connect(server.superuser_url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    conninfo = with_database(server.superuser_url("postgres"), name)
    migrate(conninfo)
    return conninfo


def _store(conninfo: str, width: int, height: int) -> tuple[UUID, int]:
    data = photo(width, height)
    with Catalog(conninfo) as catalog:
        [image_id] = catalog.queue.add([(upload(data, id=uuid4(), width=width, height=height), data)])
    return image_id, len(data)


@contextmanager
def _service(conninfo: str) -> Iterator[int]:
    port, metrics = free_ports(2)
    settings = {"IMAGOMORTIS_API_PORT": port, "IMAGOMORTIS_API_METRICS_PORT": metrics, "DATABASE_URL": conninfo}
    with running("api_service", port, settings=settings):
        yield port


@contextmanager
def _floor(conninfo: str) -> Iterator[int]:
    [port] = free_ports(1)
    with running("bench.suites.floors.api", port, conninfo, str(port)):
        yield port


if __name__ == "__main__":
    show(run())
