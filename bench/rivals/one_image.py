"""Processes one image per task, for contenders that are other task queues.

A task uses the same functions and statements as the worker. Only the queue that delivers it is another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Leased, Result
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis.work.ingest import ingest

LEASE_SECONDS: Final = 3600.0
"""Longer than any measurement, because the other queue repeats lost tasks itself."""

Task = dict[str, Any]
"""A task's arguments, as JSON."""


def say_ready() -> None:
    """Tell the bench that this process is ready."""
    print("ready", flush=True)


def new_sandbox() -> Sandbox:
    """Return a sandbox like the image task's, with a started child."""
    settings = Settings()
    limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.max_side)
    sandbox = Sandbox(limits, settings.sandbox_memory_bytes, settings.sandbox_seconds)
    sandbox.warm()
    return sandbox


def tasks(spool: Spool, catalog: Catalog) -> Iterator[list[Task]]:
    """Ingest the entries of the spool, for ever, and yield the tasks to enqueue."""
    while True:
        if not ingest(spool, catalog):
            time.sleep(0.01)
        while lease := catalog.queue.lease("rival", 1000, LEASE_SECONDS):
            yield [_task(lease.token, image) for image in lease.images]


def _task(token: UUID, image: Leased) -> Task:
    return {
        "token": str(token),
        "image": str(image.id),
        "recipe": dict(image.recipe),
        "recipe_digest": image.recipe_digest,
    }


class Processor:
    """Does tasks, with one connection and one child process."""

    def __init__(self, conninfo: str) -> None:
        """Take the catalog's database."""
        self._catalog = Catalog(conninfo)
        self._catalog.workers.alive()  # connects
        self._sandbox = new_sandbox()

    def process(self, token: str, image: str, recipe: Mapping[str, Any], recipe_digest: str) -> None:
        """Fetch an original, make its renditions, save them."""
        began = time.perf_counter()
        leased = _leased(UUID(image), recipe, recipe_digest)
        original = self._catalog.queue.originals([leased])[leased.id]
        renditions = self._sandbox.process(original, Recipe.parse(recipe), lambda _: None)
        saved = self._catalog.queue.save(UUID(token), [Result(leased, renditions, time.perf_counter() - began)])
        assert saved == {leased.id}


def _leased(image_id: UUID, recipe: Mapping[str, Any], recipe_digest: str) -> Leased:
    """Return the lease of the image, as far as fetching and saving need it."""
    return Leased(image_id, datetime.min, "", b"", 0, 1, recipe, recipe_digest)
