"""What the definitions work with, made once for each process: settings, catalog, arrivals, spool."""

from __future__ import annotations

import atexit
from functools import cache

from imagomortis.catalog import Catalog
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis_pipeline.arrivals import Arrivals


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.read()


@cache
def catalog() -> Catalog:
    """Return the catalog; its pool outlives the ticks of the sensors, which would otherwise reconnect each time."""
    found = new_catalog(settings().database_connections)
    atexit.register(found.close)  # else the end of the process waits for each of the pool's threads in vain
    return found


def new_catalog(connections: int) -> Catalog:
    """Return a catalog of the caller's own, which may hold so many connections."""
    if settings().conninfo is None:
        raise ConfigurationError(
            "No database is named: set DATABASE_URL, for example postgresql://user@host/imagomortis, "
            "or PGHOST and its family."
        )
    return Catalog(settings().conninfo or "", connections)


@cache
def arrivals() -> Arrivals:
    """Return what the ticks of this process took in and have not told yet."""
    return Arrivals()


@cache
def spool() -> Spool:
    """Return the spool, its folders made."""
    found = Spool(settings().spool_folder, settings().disk_reserve_bytes)
    found.prepare()
    return found
