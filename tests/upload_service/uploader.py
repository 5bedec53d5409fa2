"""A real uploader in a process of its own on free ports, what lies in its spool, and clients that misbehave."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from imagomortis.spool.spool import Entry, Spool
from tests.support import web
from tests.support.running_system import free_ports
from tests.support.waiting import wait_until

BOUNDARY = "a-boundary-of-some-length"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Contents:
    """What lies in a spool right now."""

    spool: Spool

    @property
    def entries(self) -> list[Entry]:
        """Everything that is ready, oldest first; fails if anything of it is not whole."""
        entries = [self.spool.read(folder) for folder in self.spool.scan(100_000)]
        for entry in entries:
            self.spool.read_bytes(entry)
        return sorted(entries, key=lambda entry: entry.upload.created_at)

    @property
    def ids(self) -> set[str]:
        return {str(entry.upload.id) for entry in self.entries}

    @property
    def begun(self) -> list[str]:
        """What lies in ``incoming/``."""
        return [path.name for path in self.spool.incoming.iterdir()]

    @property
    def inbox(self) -> set[str]:
        return {path.name for path in self.spool.inbox.rglob("*") if not path.is_dir()}

    @property
    def rejected(self) -> dict[str, str]:
        """The reasons of what was rejected, by file names."""
        suffix = ".reason.txt"
        reasons = self.spool.rejected.glob(f"*{suffix}")
        return {path.name.removesuffix(suffix): path.read_text().strip() for path in reasons}


@dataclass
class Uploader:
    """A running uploader, its spool and what it logs."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int
    spool: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def contents(self) -> Contents:
        return Contents(Spool(self.spool))

    @property
    def memory(self) -> psutil.Process:
        """The service itself, without its decoding children."""
        return psutil.Process(self.process.pid)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged of an event."""
        lines = [json.loads(line) for line in self.log.read_text().split("\n") if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)


@contextmanager
def running(spool: Path, *, through: Sequence[str] = (), **settings: object) -> Iterator[Uploader]:
    """Run an uploader until the block ends; ``through`` is a command that runs the command that follows it."""
    port, metrics_port = free_ports(2)
    given = {"spool": spool, "upload_port": port, "upload_metrics_port": metrics_port, "disk_reserve_bytes": 0}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMAGOMORTIS_")}
    environment |= {f"IMAGOMORTIS_{name.upper()}": str(value) for name, value in (given | settings).items()}
    log = spool.with_name(f"{spool.name}.log")
    with log.open("ab") as output:
        command = [*through, sys.executable, "-m", "upload_service"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        uploader = Uploader(process, port, metrics_port, spool, log)
        wait_until(lambda: _is_ready(uploader), 200)
        yield uploader
    finally:
        process.kill()
        process.wait()


def _is_ready(uploader: Uploader) -> bool:
    assert uploader.process.poll() is None, uploader.log.read_text()
    try:
        return web.get(f"{uploader.url}/startz").is_success
    except httpx.TransportError:
        return False


def form(*files: bytes, **fields: str) -> bytes:
    """Return the body of a form as a client sends it, in parts that CONTENT_TYPE describes."""
    parts = [(f'name="file"; filename="{number}.jpg"', data) for number, data in enumerate(files)]
    parts += [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    written = [
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), head.encode(), data)
        for head, data in parts
    ]
    return b"".join(written) + b"--%b--\r\n" % BOUNDARY.encode()


def head(length: int | None, *further: str) -> bytes:
    """Return the head of an upload of so many bytes, or of a chunked one."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /upload HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", size, *further]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass(frozen=True)
class Answer:
    """An answer as it came over a socket."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def answer(connection: socket.socket) -> Answer:
    """Return the answer that comes over a connection."""
    with closing(http.client.HTTPResponse(connection, method="POST")) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())
