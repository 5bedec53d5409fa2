"""Lets only one of Dagster's daemons work at a time, because two would launch the same runs.

If a node is cut off, Kubernetes starts a second daemon elsewhere. The first one still runs and may come back.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

import psycopg

from imagomortis.catalog.connection.conninfo import watchful
from imagomortis.logs import Log

LOCK: Final = 4_242_003
"""The advisory lock of the working daemon, in Dagster's database."""

LOOK_SECONDS: Final = 2.0
"""The time between two looks at the lock."""

log = Log(__name__)


def claim(conninfo: str) -> None:
    """Wait until no other daemon works. Afterwards end this process as soon as another one works."""
    connection: psycopg.Connection | None = None
    is_told = False
    while connection is None:
        try:
            connection = _lock(conninfo)
            reason = "another daemon works"
        except psycopg.OperationalError as error:
            reason = str(error)
        if connection is None:
            if not is_told:
                log.warning("waiting", error=reason)
                is_told = True
            time.sleep(LOOK_SECONDS)
    threading.Thread(target=_keep, args=[conninfo, connection], name="daemon lock", daemon=True).start()


def _keep(conninfo: str, connection: psycopg.Connection) -> None:
    """Look at the lock for ever. While the database is away nobody has the lock, and no daemon can work."""
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError:
            connection.close()
            try:
                found = _lock(conninfo)
            except psycopg.OperationalError:
                continue
            if found is None:
                log.error("replaced", error="Another daemon works. This one ends.")
                os._exit(1)  # an orderly end would wait for work that belongs to the other one now
            connection = found


def _lock(conninfo: str) -> psycopg.Connection | None:
    """Return a connection that has the lock; None if another daemon has it."""
    connection = psycopg.connect(watchful(conninfo), autocommit=True, application_name="imagomortis daemon")
    # if the machine of a daemon is gone, its lock is free after half a minute, not two hours
    connection.execute("SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3")
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
    if row and row[0]:
        return connection
    connection.close()
    return None
