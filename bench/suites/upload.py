"""Measures uploads: their rate against the smallest equivalent application, and the uploader's memory under load.

python -m bench.suites.upload
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from bench.figure import Figure, show
from bench.services import running
from tests.support.pictures import photo
from tests.support.running_system import free_ports, peak_memory

MIB: Final = 1024 * 1024

CLIENTS: Final = 4
"""Simultaneous connections."""

ROUNDS: Final = 15
"""Rounds in which service and floor take turns, so that both see the same load of the machine."""

SIZES: Final = {"2 MP": (1732, 1155, 24), "12 MP": (4243, 2828, 8)}
"""Width and height in pixels, and pictures per turn."""

QUALITY: Final = 97
"""The quality of the JPEGs, which makes them 0.6 and 3.7 MB large, like a camera's."""

_BOUNDARY = b"a-boundary-of-some-length"


def run() -> list[Figure]:
    """Measure pictures per second, and the growth of memory in MiB while 1 GiB of pictures is uploaded."""
    with tempfile.TemporaryDirectory(prefix="imagomortis-bench-") as folder:
        service, floor = Path(folder, "service"), Path(folder, "floor")
        with _service(service) as (process, port), _floor(floor) as floor_port:
            growth = _growth(process, service, port)  # first, while the service is as it was started
            return [*(_rate(name, (service, port), (floor, floor_port)) for name in SIZES), growth]


def _rate(name: str, service: tuple[Path, int], floor: tuple[Path, int]) -> Figure:
    width, height, count = SIZES[name]
    request = _request(photo(width, height, quality=QUALITY))
    seconds = {service: 0.0, floor: 0.0}
    for turn in range(-1, ROUNDS):
        for spool, port in seconds if turn % 2 else reversed(seconds):
            taken = asyncio.run(_send(port, request, count))
            _empty(spool)
            if turn >= 0:  # an additional turn warms both up
                seconds[spool, port] += taken
    pictures = ROUNDS * count
    return Figure(
        f"uploads of {name}, {CLIENTS} clients",
        pictures / seconds[service],
        "pictures/s",
        floor=pictures / seconds[floor],
        at_least=0.9,
    )


def _growth(process: psutil.Process, spool: Path, port: int) -> Figure:
    width, height, count = SIZES["12 MP"]
    request = _request(photo(width, height, quality=QUALITY))
    before, sent = peak_memory(process.pid), 0
    while sent < 1024 * MIB:
        asyncio.run(_send(port, request, count))
        sent += count * len(request)
        _empty(spool)
    grown = (peak_memory(process.pid) - before) / MIB
    return Figure("uploader's growth while 1 GiB goes through", grown, "MiB", at_most=40)


async def _send(port: int, request: bytes, count: int) -> float:
    """Upload a picture ``count`` times over CLIENTS connections; return the seconds."""
    waiting = iter(range(count))
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, request, waiting) for _ in range(CLIENTS)))
    return time.perf_counter() - began


async def _client(port: int, request: bytes, waiting: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in waiting:
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 201 "):
            raise RuntimeError(f"An upload failed: {head!r}")
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()


def _request(data: bytes) -> bytes:
    body = (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="picture.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n%b\r\n--%b--\r\n" % (_BOUNDARY, data, _BOUNDARY)
    )
    head = (
        b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % (len(body), _BOUNDARY)
    )
    return head + body


def _empty(spool: Path) -> None:
    """Remove the stored entries, as the pusher would."""
    for entry in (spool / "ready").iterdir():
        shutil.rmtree(entry)


@contextmanager
def _service(spool: Path) -> Iterator[tuple[psutil.Process, int]]:
    port, metrics = free_ports(2)
    settings = {"SPOOL": spool, "UPLOAD_PORT": port, "UPLOAD_METRICS_PORT": metrics, "DISK_RESERVE_BYTES": 0}
    variables = {f"IMAGOMORTIS_{name}": value for name, value in settings.items()}
    with running("upload_service", port, settings=variables) as process:
        yield psutil.Process(process.pid), port


@contextmanager
def _floor(spool: Path) -> Iterator[int]:
    [port] = free_ports(1)
    with running("bench.suites.floors.upload", port, str(spool), str(port)):
        yield port


if __name__ == "__main__":
    show(run())
