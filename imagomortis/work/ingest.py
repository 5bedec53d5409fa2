"""Ingesting: from entries of the spool to queued images in the catalog."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from psycopg import DataError

from imagomortis import traces
from imagomortis.catalog import Catalog
from imagomortis.errors import InvalidRecipe, Unavailable
from imagomortis.logs import Log
from imagomortis.recipe.asset_references import references
from imagomortis.recipe.recipe import Recipe
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.spool import Entry, ForeignEntry
from imagomortis.spool.upload import Upload
from imagomortis.storage.batches import batches

log = Log(__name__)

SCAN: Final = 512
"""Entries that are looked at in one go."""


def ingest(
    spool: AnySpool, catalog: Catalog, until: float = math.inf, tell: Callable[[Upload], object] = lambda _: None
) -> int:
    """Move what is ready in the spool into the catalog, oldest first; return how many entries were moved.

    No batch begins after the monotonic time ``until``, but for the first one. ``tell`` is told of each new image.
    An entry is removed only after the commit, and the commit ignores an image that is there already: a crash between
    any two steps repeats work and loses nothing. Raises Unavailable while Postgres or the storage is away or full; the
    entries wait.
    """
    entries = sorted(_entries(spool), key=lambda entry: entry.upload.created_at)
    moved = 0
    try:
        for batch in batches(entries, lambda entry: entry.upload.size):
            moved += _ingest_batch(batch, spool, catalog, tell)
            if time.monotonic() >= until:
                break
    finally:
        catalog.note_storage_usage()
    return moved


def _entries(spool: AnySpool) -> Iterator[Entry]:
    for folder, found in spool.read_all(spool.scan(SCAN)):
        if isinstance(found, ForeignEntry):
            _reject(spool, folder, found.detail)
        else:
            yield found


def _reject(spool: AnySpool, folder: Path, reason: str) -> None:
    try:
        spool.reject(folder, reason)
    except (OSError, Unavailable) as error:  # it is not ours to move, and stays; nobody is held up by it
        _tell_once(folder, f"{reason} It cannot be moved to rejected/ either: {error}")


@cache
def _tell_once(folder: Path, reason: str) -> None:
    log.error("cannot reject", entry=folder.name, error=reason)


def _fixed(uploads: list[Upload], catalog: Catalog) -> list[Upload]:
    """Give the recipes the digests of their assets; if one does not exist, the worker fails and says so."""
    with_assets = {upload.recipe_digest: upload.recipe for upload in uploads if references(upload.recipe)}
    changes = {digest: _with_digests(recipe, catalog) for digest, recipe in with_assets.items()}
    return [upload.model_copy(update=changes.get(upload.recipe_digest)) for upload in uploads]


def _with_digests(document: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Return the fields of an upload that change."""
    try:
        recipe = catalog.assets.fixed(Recipe.parse(document))
    except InvalidRecipe:
        return {}
    return {"recipe": recipe.as_json(), "recipe_digest": recipe.digest}


def _ingest_batch(batch: list[Entry], spool: AnySpool, catalog: Catalog, tell: Callable[[Upload], object]) -> int:
    arrivals, began = [], time.perf_counter()
    for entry, content in spool.contents(batch, catalog.objects):
        if isinstance(content, ForeignEntry):
            _reject(spool, entry.folder, content.detail)
        else:
            arrivals.append((entry, content))
    if not arrivals:
        return 0
    try:
        uploads = _fixed([entry.upload for entry, _ in arrivals], catalog)
        added = set(catalog.queue.add(list(zip(uploads, (data for _, data in arrivals), strict=True))))
    except DataError as error:
        if len(batch) == 1:
            _reject(spool, batch[0].folder, f"Postgres cannot store it: {error}")
            return 0
        # one of them holds up the others: find it
        return sum(_ingest_batch([entry], spool, catalog, tell) for entry in batch)
    spool.remove(*(entry.folder for entry, _ in arrivals))
    for entry, _ in arrivals:
        upload = entry.upload
        if upload.id in added:
            log.info("queued", image=upload.id, filename=upload.filename, bytes=upload.size)
            traces.note("push", upload.id, time.perf_counter() - began)
            tell(upload)
        else:
            log.info("known", image=upload.id)
    return len(arrivals)
