"""Writes the outputs of finished images to the targets that their recipes name."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagomortis.catalog import Catalog
from imagomortis.catalog.exports import DueExport
from imagomortis.catalog.images import Picture
from imagomortis.errors import BytesDamaged, Conflict, NotFound, Unavailable
from imagomortis.logs import Log
from imagomortis.recipe import export_target
from imagomortis.recipe.chain import PROCESSED
from imagomortis.settings import Settings
from imagomortis.storage import opened_at

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

log = Log(__name__)

AT_ONCE: Final = 4
"""Images that are exported at the same time, each with one output in a temporary file."""


class ExportWriter:
    """Writes to the stores that the settings allow."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        """Take the catalog, and the settings with the allowed targets."""
        self._catalog = catalog
        self._settings = settings
        self._stores: dict[str, ObjectStore] = {}
        self._away: set[str] = set()
        self._working = threading.Lock()

    def write(self, until: float) -> tuple[int, int]:
        """Write what is due, up to the monotonic time ``until``; return how many images succeeded, and how many failed.

        Failures are noted, and tried again later. A store that does not answer is not asked again for now. If another
        thread is still writing, nothing is done. Raises Unavailable while Postgres is away.
        """
        if not self._working.acquire(blocking=False):
            return 0, 0
        try:
            self._away.clear()
            return self._write(until)
        finally:
            self._working.release()

    def _write(self, until: float) -> tuple[int, int]:
        written: list[bool] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export") as threads:
            while due := self._catalog.exports.claim(AT_ONCE, away=[*self._away]):
                written += threads.map(self._export, due)
                if time.monotonic() >= until:
                    break
        return written.count(True), written.count(False)

    def _export(self, due: DueExport) -> bool:
        try:
            urls = [self._put(due, picture) for picture in self._outputs(due)]
        except Exception as error:  # noqa: BLE001  # a full disk or an unreadable secret is this export's failure only
            log.warning("cannot export", image=due.image_id, target=due.target, error=repr(error))
            self._catalog.exports.fail(due, str(error) or repr(error))
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
        store = self._store(prefix)
        with self._file(picture) as file:
            # after the bytes were read: a newer result replaces them, and may have another target
            if not self._catalog.exports.renew(due):
                raise Conflict(f"The image {due.image_id} has a newer result, or another process exports it.")
            try:
                store.put({name: file}, {name: picture.media_type})
            except Unavailable:
                self._away.add(prefix)
                raise
        return url

    @contextmanager
    def _file(self, picture: Picture) -> Iterator[Path]:
        """Lend a temporary file with the bytes of a picture, which can be larger than the memory has room for."""
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(prefix="imagomortis-export-") as file:
            for chunk in self._catalog.images.read(picture):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            if digest.digest() != picture.sha256:
                raise BytesDamaged(
                    f"The bytes of the output {picture.output or picture.kind} are damaged, or were replaced."
                )
            yield Path(file.name)

    def _store(self, prefix: str) -> ObjectStore:
        if prefix not in self._stores:
            self._stores[prefix] = opened_at(self._settings, prefix.rstrip("/"))
        return self._stores[prefix]
