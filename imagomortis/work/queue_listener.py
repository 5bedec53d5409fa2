"""Waits for notifications that images were queued."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg

from imagomortis.catalog import QUEUE_CHANNEL, Catalog, Connection
from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis.work.interrupts import Interrupts

log = Log(__name__)


class QueueListener:
    """Listens on a connection of its own, and reconnects when that breaks."""

    def __init__(self, catalog: Catalog, interrupts: Interrupts) -> None:
        """Take the catalog, and the signals that may interrupt a wait."""
        self._catalog = catalog
        self._interrupts = interrupts
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Return True as soon as images may be queued, and False if ``seconds`` pass without a notification."""
        with self._interrupts.allowed():
            return self._wait(seconds)

    def _wait(self, seconds: float) -> bool:
        try:
            if self._connection is None:
                self._connection = self._catalog.database.listen(QUEUE_CHANNEL)
                return True  # something may have come before anyone listened
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except (Unavailable, psycopg.OperationalError) as error:
            log.warning("cannot listen", error=str(error))
            self.close()
            time.sleep(0.5)
            return True

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.OperationalError):  # it is broken already
                connection.close()
