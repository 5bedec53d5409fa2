"""Runs the pipeline's functions, child processes and statements in bare loops, without Dagster: its floor.

python -m bench.suites.floors.pipeline ingest CONNINFO SPOOL
python -m bench.suites.floors.pipeline work CONNINFO

Each prints a line when it is ready, and goes on until it is ended.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from bench.rivals.one_image import new_sandbox, say_ready
from imagomortis import logs
from imagomortis.catalog import Catalog
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis.spool.upload import hour_of
from imagomortis.storage import opened
from imagomortis.work.ingest import ingest
from imagomortis.work.worker import Terms, Worker


def take_in(conninfo: str, spool: Spool) -> None:
    """Ingest the entries of the spool, for ever."""
    with Catalog(conninfo, objects=opened(Settings.read())) as catalog:
        catalog.workers.alive()  # connects
        say_ready()
        while True:
            if not ingest(spool, catalog):
                time.sleep(0.01)


def work(conninfo: str) -> None:
    """Process queued images, as a worker that never leaves."""
    with Catalog(conninfo, objects=opened(Settings.read())) as catalog, new_sandbox() as sandbox:
        say_ready()
        Worker(catalog, sandbox, uuid4(), "bare", Terms(linger_seconds=3600)).drain(hour_of(datetime.now(UTC)))


if __name__ == "__main__":
    with Path(os.devnull).open("w") as nowhere:
        logs.configure("bare", stream=nowhere)  # the same lines are written, and read by nobody
        if sys.argv[1] == "ingest":
            take_in(sys.argv[2], Spool(Path(sys.argv[3])))
        else:
            work(sys.argv[2])
