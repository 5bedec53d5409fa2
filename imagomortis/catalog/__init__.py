"""Holds every statement on the catalog's database; the SQL is in the files in ``sql/``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from imagomortis.catalog.assets import Assets
from imagomortis.catalog.bucket_objects import BucketObjects
from imagomortis.catalog.connection.database import PATIENCE_SECONDS, Connection, Database
from imagomortis.catalog.control import Control
from imagomortis.catalog.exports import Exports
from imagomortis.catalog.images import Images
from imagomortis.catalog.ordered import Ordered
from imagomortis.catalog.queue import Queue
from imagomortis.catalog.recipes import Recipes
from imagomortis.catalog.sessions import Sessions
from imagomortis.catalog.trash import Trash
from imagomortis.catalog.upkeep.figures import Figures
from imagomortis.catalog.upkeep.health import Health
from imagomortis.catalog.upkeep.migrate import migrate
from imagomortis.catalog.upkeep.object_sweep import ObjectSweep
from imagomortis.catalog.upkeep.retention import Retention
from imagomortis.catalog.upkeep.verification import Verification
from imagomortis.catalog.workers import Workers
from imagomortis.errors import Unavailable

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

__all__ = ["QUEUE_CHANNEL", "Catalog", "Connection", "Database", "migrate"]

QUEUE_CHANNEL: Final = "imagomortis_queue"
"""The channel of notifications that images can be leased."""


class Catalog:
    """The catalog of one database, by topic."""

    def __init__(
        self,
        conninfo: str,
        connections: int = 4,
        patience: float = PATIENCE_SECONDS,
        objects: ObjectStore | None = None,
    ) -> None:
        """Take a libpq connection string, how many connections the catalog may hold, and seconds to wait for one.

        New bytes go to the object store ``objects``, or without one into the rows.
        """
        self._objects = objects
        self.database = Database(conninfo, connections, patience)
        self.queue = Queue(self.database, objects)
        self.images = Images(self.database, objects)
        self.ordered = Ordered(self.database)
        self.trash = Trash(self.database, self.images)
        self.exports = Exports(self.database)
        self.bucket_objects = BucketObjects(self.database)
        self.object_sweep = ObjectSweep(self.database, objects)
        self.workers = Workers(self.database)
        self.recipes = Recipes(self.database)
        self.assets = Assets(self.database)
        self.control = Control(self.database)
        self.retention = Retention(self.database)
        self.sessions = Sessions(self.database)
        self.health = Health(self.database)
        self.verification = Verification(self.database, self.images)
        self.figures = Figures(self.database)

    @property
    def objects(self) -> ObjectStore | None:
        """The object store that gets new bytes; None if the rows get them."""
        return self._objects

    def note_storage_usage(self) -> None:
        """Add this process's requests to the object store to the figures; if that raises Unavailable, they are kept."""
        if self._objects is None:
            return
        uses = self._objects.usage.take()
        try:
            self.figures.add_storage_usage(uses)
        except Unavailable:
            self._objects.usage.put_back(uses)
            raise

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
