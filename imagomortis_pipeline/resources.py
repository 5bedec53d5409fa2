"""Makes settings, catalog, arrivals, spool, bucket inboxes and the writer of exports once for each process."""

from __future__ import annotations

import atexit
from functools import cache

from imagomortis import storage
from imagomortis.catalog import Catalog
from imagomortis.errors import ConfigurationError, InvalidRecipe
from imagomortis.settings import Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.opening import opened
from imagomortis.work.bucket_inbox import BucketInboxes
from imagomortis.work.export_writer import ExportWriter
from imagomortis_pipeline.arrivals import Arrivals


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.read()


@cache
def catalog() -> Catalog:
    """Return the catalog. Its pool outlives a tick, so that not every tick reconnects."""
    found = new_catalog(settings().database_connections)
    atexit.register(found.close)  # else the process waits for the pool's threads when it ends
    return found


def new_catalog(connections: int) -> Catalog:
    """Return a catalog that belongs to the caller, with at most so many connections."""
    if settings().conninfo is None:
        raise ConfigurationError(
            "No database is set. Set DATABASE_URL, for example postgresql://user@host/imagomortis, "
            "or PGHOST and its family."
        )
    return Catalog(settings().conninfo or "", connections, objects=storage.opened(settings()))


@cache
def arrivals() -> Arrivals:
    """Return the images that ticks of this process ingested and have not reported yet."""
    return Arrivals()


@cache
def export_writer() -> ExportWriter:
    """Return the writer of exports, which keeps its connections to stores."""
    return ExportWriter(catalog(), settings())


@cache
def bucket_inboxes() -> BucketInboxes:
    """Return the inboxes in object stores, which keep their connections; raises ConfigurationError."""
    try:
        return BucketInboxes(catalog(), spool(), settings())
    except InvalidRecipe as error:
        raise ConfigurationError(f"IMAGOMORTIS_INBOXES: {error.detail}") from error


@cache
def spool() -> AnySpool:
    """Return the spool, and make its folders."""
    found = opened(settings())
    found.prepare()
    return found
