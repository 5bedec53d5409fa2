"""Writes the outputs of finished images to the targets that their recipes name."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import psycopg

from imagomortis.catalog import Catalog
from imagomortis.catalog.exports import DueExport
from imagomortis.catalog.images import Picture
from imagomortis.errors import BytesDamaged, ImagoMortisError, NotFound
from imagomortis.logs import Log
from imagomortis.recipe import export_target
from imagomortis.recipe.chain import PROCESSED
from imagomortis.settings import Settings
from imagomortis.storage import opened_at

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

log = Log(__name__)

AT_ONCE: Final = 4
"""Images that are exported at the same time, each with one output in memory."""


class ExportWriter:
    """Writes to the stores that the settings allow."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        """Take the catalog, and the settings with the allowed targets."""
        self._catalog = catalog
        self._settings = settings
        self._stores: dict[str, ObjectStore] = {}

    def write(self, until: float) -> tuple[int, int]:
        """Write what is due, up to the monotonic time ``until``; return how many images succeeded, and how many failed.

        Failures are noted, and tried again later. Raises Unavailable while Postgres is away.
        """
        written: list[bool] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export") as threads:
            while due := self._catalog.exports.claim(AT_ONCE):
                written += threads.map(self._export, due)
                if time.monotonic() >= until:
                    break
        return written.count(True), written.count(False)

    def _export(self, due: DueExport) -> bool:
        try:
            urls = [self._put(due, picture) for picture in self._outputs(due)]
        except (ImagoMortisError, psycopg.Error) as error:
            log.warning("cannot export", image=due.image_id, target=due.target, error=str(error))
            self._catalog.exports.fail(due, str(error))
            return False
        self._catalog.exports.finish(due, urls)
        log.info("exported", image=due.image_id, attempt=due.attempt, urls=urls)
        return True

    def _outputs(self, due: DueExport) -> Iterator[Picture]:
        images = self._catalog.images
        names = [each.output for each in images.renditions(due.image_id) if each.output]
        for name in names or [PROCESSED]:
            picture = images.picture(due.image_id, name)
            if picture is None:
                raise NotFound(f"The output {name} of the image {due.image_id} was replaced or deleted meanwhile.")
            yield picture

    def _put(self, due: DueExport, picture: Picture) -> str:
        prefix = export_target.prefix_of(due.target, self._settings.export_prefixes)
        url = export_target.filled_in(
            due.target,
            image_id=due.image_id,
            filename=due.filename,
            created_at=due.created_at,
            output=picture.output or picture.kind,
            media_type=picture.media_type,
        )
        name = url.removeprefix(prefix)
        self._store(prefix).put({name: self._bytes(picture)}, {name: picture.media_type})
        return url

    def _bytes(self, picture: Picture) -> bytes:
        found = b"".join(self._catalog.images.read(picture))
        if hashlib.sha256(found).digest() != picture.sha256:
            raise BytesDamaged(
                f"The bytes of the output {picture.output or picture.kind} are damaged, or were replaced."
            )
        return found

    def _store(self, prefix: str) -> ObjectStore:
        if prefix not in self._stores:
            self._stores[prefix] = opened_at(self._settings, prefix.rstrip("/"))
        return self._stores[prefix]
