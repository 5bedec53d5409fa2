"""A real S3 server for tests: SeaweedFS on free ports of loopback, with its data in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from obstore.store import S3Store

from imagomortis.errors import Unavailable
from imagomortis.storage.object_store import CLIENT, ObjectStore
from tests.support.running_system import free_ports
from tests.support.waiting import wait_until

KEY: Final = "imagomortis-tests"
SECRET: Final = "a-secret-of-these-tests-only"
REGION: Final = "us-east-1"
BUCKET: Final = "pictures"


@dataclass(frozen=True)
class S3Server:
    """A running server: its address, and its process, which a test may stop for a while."""

    endpoint: str
    process: subprocess.Popen[bytes]

    @property
    def variables(self) -> dict[str, str]:
        """The environment that gives an S3 client the right to use the server."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
        }

    def store(self, endpoint: str = "", **changed: object) -> ObjectStore:
        """Return a storage below a prefix of its own, perhaps by another address, such as a proxy's."""
        return ObjectStore(
            S3Store(
                BUCKET,
                prefix=str(uuid4()),
                endpoint=endpoint or self.endpoint,
                region=REGION,
                access_key_id=KEY,
                secret_access_key=SECRET,
                client_options={**CLIENT, "allow_http": True, **changed.pop("client", {})},  # type: ignore[dict-item]
                **changed,  # type: ignore[arg-type]
            )
        )


@contextmanager
def running() -> Iterator[S3Server]:
    """Run a server for the block; its bucket is made with it."""
    folder = Path(tempfile.mkdtemp(prefix="imagomortis-s3-"))
    server = _start(folder)
    try:
        wait_until(lambda: server.process.poll() is not None or _is_ready(server), tell=(folder / "log").read_text)
        assert server.process.poll() is None, (folder / "log").read_text()
        yield server
    finally:
        server.process.kill()  # if asked to end, it would wait for its clients
        server.process.wait()
        shutil.rmtree(folder)


def _start(folder: Path) -> S3Server:
    # every port that it opens, as servers that start at the same time take each other's default ones
    parts = ("s3", "master", "filer", "volume", "admin")
    ports = dict(zip([f"{part}.port{kind}" for part in parts for kind in ("", ".grpc")], free_ports(10), strict=True))
    command = [
        Path(sys.executable).with_name("weed"),
        *("mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"),
        *("-admin.ui=false", "-webdav=false", "-s3.iam=false", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    variables = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
    return S3Server(f"http://127.0.0.1:{ports['s3.port']}", process)


def _is_ready(server: S3Server) -> bool:
    try:
        server.store().put({"ready": b"yes"})
    except Unavailable:
        return False
    return True
