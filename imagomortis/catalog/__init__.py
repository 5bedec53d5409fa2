"""The catalog: every statement on Postgres, by name, from the files in ``sql/``."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from imagomortis.catalog.control import Control
from imagomortis.catalog.database import PATIENCE_SECONDS, Connection, Database
from imagomortis.catalog.figures import Figures
from imagomortis.catalog.health import Health
from imagomortis.catalog.images import Images
from imagomortis.catalog.migrate import migrate
from imagomortis.catalog.queue import Queue
from imagomortis.catalog.recipes import Recipes
from imagomortis.catalog.retention import Retention
from imagomortis.catalog.sessions import Sessions
from imagomortis.catalog.verification import Verification
from imagomortis.catalog.workers import Workers

__all__ = ["QUEUE_CHANNEL", "Catalog", "Connection", "Database", "migrate"]

QUEUE_CHANNEL: Final = "imagomortis_queue"
"""Told when images may be leased."""


class Catalog:
    """The catalog of one database, by topic."""

    def __init__(self, conninfo: str, connections: int = 4, patience: float = PATIENCE_SECONDS) -> None:
        """Take a libpq connection string, how many connections the catalog may hold, and seconds to wait for one."""
        self.database = Database(conninfo, connections, patience)
        self.queue = Queue(self.database)
        self.images = Images(self.database)
        self.workers = Workers(self.database)
        self.recipes = Recipes(self.database)
        self.control = Control(self.database)
        self.retention = Retention(self.database)
        self.sessions = Sessions(self.database)
        self.health = Health(self.database)
        self.verification = Verification(self.database, self.images)
        self.figures = Figures(self.database)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
