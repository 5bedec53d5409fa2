"""Processes one image per task with Celery: its application, and a program that feeds it.

celery -A bench.rivals.celery_tasks worker
python -m bench.rivals.celery_tasks SPOOL
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from bench.rivals.one_image import Processor, say_ready, tasks
from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool

app = Celery(
    "bench",
    broker=os.environ["BENCH_BROKER"],
    task_ignore_result=True,
    task_acks_late=True,  # a task that dies is repeated, as with all contenders
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
)

_processors: list[Processor] = []


@worker_process_init.connect
def _begin(**_: Any) -> None:
    _processors.append(Processor(os.environ["BENCH_DATABASE"]))
    say_ready()


@app.task(name="process")
def process(**task: Any) -> None:
    """Process one image."""
    _processors[0].process(**task)


def feed(spool: Spool) -> None:
    """Enqueue the entries of the spool, for ever."""
    with Catalog(os.environ["BENCH_DATABASE"]) as catalog, app.producer_pool.acquire(block=True) as producer:
        say_ready()
        for batch in tasks(spool, catalog):
            for task in batch:
                process.apply_async(kwargs=task, producer=producer)


if __name__ == "__main__":
    feed(Spool(Path(sys.argv[1])))
