"""Takes in the objects that other programs put into object stores.

Each source is walked in passes, by pages in the order of the names, from a cursor. An object leaves its source, or is
noted as seen, only after its entry in the spool is durable. After a crash in between, the entry gets the same id again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from imagomortis.catalog import Catalog
from imagomortis.catalog.bucket_objects import Outcome
from imagomortis.errors import BytesDamaged, ImagoMortisError, PictureTooLarge, RefusedPicture, Unavailable
from imagomortis.inbox_sources import REJECTED, TAKEN, InboxSource, Take
from imagomortis.logs import Log
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe_choice import choose
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.settings import MIB, Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.upload import Upload, clean_filename, is_partial
from imagomortis.storage import opened_at
from imagomortis.storage.storage import Stored
from imagomortis.work import acceptance

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

log = Log(__name__)

AT_ONCE: Final = 4
"""Objects of a source that are read at the same time."""

PAGE: Final = 1000
"""Objects that are compared with the catalog in one statement."""

MOST_PAGES: Final = 10
"""Pages of a source in one look, so that a bucket in which nothing is new does not take a whole tick."""

IDLE_FACTOR: Final = 4
"""After a look at so many pages without a new object, the source is left alone for so many times as long."""

PART: Final = 8 * MIB
"""Bytes that are read in one request."""

REST_SECONDS: Final = 60.0
"""The pause before an object is tried again that could not be taken for a reason other than its picture."""

SETTLE_SECONDS: Final = 2.0
"""A file of a folder counts as complete if it has not changed for so long. A store has only complete objects."""

LONGEST_NAME: Final = 200
"""Bytes of a file name beside a source; the rest is for additions."""

_NAMESPACE: Final = UUID("e0b8a0d5-1b9a-4b35-9a55-4b2d3f0b6f0a")


@dataclass(frozen=True)
class Looked:
    """What a look at all sources found."""

    stored: int
    refused: int
    away: Sequence[str]
    """The sources that could not be listed or read."""


def object_id(source: InboxSource, found: Stored) -> UUID:
    """Return the id of an object's image, which is the same after a crash.

    An object that is put again after it was moved away gets another id, even with the same name and bytes. One that
    stays in place does not.
    """
    parts = [source.url, found.name, found.etag or f"{found.size} {found.put_at.isoformat()}"]
    if source.take is not Take.KEEP:
        parts.append(found.put_at.isoformat())
    return uuid5(_NAMESPACE, "\n".join(parts))


class _Changed(Exception):
    """An object that was replaced or removed since it was listed."""


class BucketInboxes:
    """Takes objects out of all sources of the settings."""

    def __init__(self, catalog: Catalog, spool: AnySpool, settings: Settings) -> None:
        """Take the catalog, the spool, and the settings; raises InvalidRecipe or ConfigurationError."""
        self._settings = settings
        self._limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.max_side)
        self._sources = [_Source(each, catalog, spool, settings) for each in settings.inbox_sources]
        self._working = threading.Lock()

    def look(self, cursors: Mapping[str, str], until: float) -> tuple[dict[str, str], Looked]:
        """Take objects up to the monotonic time ``until``; return the new cursors by URL, and what was found.

        If another thread still works, nothing is done.
        """
        if not self._working.acquire(blocking=False):
            return dict(cursors), Looked(0, 0, [])
        try:
            with self._pool() as pool:
                for number, source in enumerate(self._sources):
                    now = time.monotonic()
                    share = (until - now) / (len(self._sources) - number)
                    source.look(cursors.get(source.url, ""), now + share, pool)
        finally:
            self._working.release()
        sources = self._sources
        found = Looked(
            sum(each.stored for each in sources),
            sum(each.refused for each in sources),
            [each.url for each in sources if each.is_away],
        )
        return {each.url: each.after for each in sources if each.after}, found

    def _pool(self) -> SandboxPool:
        """Return one checker, whose process starts with the first picture and ends with the look."""
        memory, seconds = self._settings.sandbox_memory_bytes, self._settings.check_seconds
        return SandboxPool(1, self._limits, memory, seconds, wait_seconds=AT_ONCE * seconds)


class _Source:
    """One source, with what the last look found."""

    def __init__(self, source: InboxSource, catalog: Catalog, spool: AnySpool, settings: Settings) -> None:
        self.url = source.url
        self.after = ""
        self.stored = self.refused = 0
        self.is_away = False
        self._source = source
        self._is_folder = source.url.startswith("file:")
        self._choice = choose(source.recipe, settings.export_prefixes)
        self._seen = catalog.bucket_objects
        self._spool = spool
        self._max_bytes = settings.max_upload_bytes
        self._store: ObjectStore = opened_at(settings, source.root)
        self._resting: dict[UUID, float] = {}
        self._stored_ids: set[UUID] = set()
        self._idle_until = float("-inf")

    def look(self, after: str, until: float, pool: SandboxPool) -> None:
        """Take objects whose names follow ``after``; ``self.after`` is then the next cursor, empty at the end."""
        self.after, self.stored, self.refused = after, 0, 0
        began = time.monotonic()
        if began < self._idle_until:
            return
        try:
            self._spool.check_space()
            self._walk(until, pool)
        except (ImagoMortisError, OSError) as error:  # the latter if the spool's folder is away
            if not self.is_away:
                log.warning("waiting", source=self.url, error=str(error))
            self.is_away = True
        else:
            self.is_away = False
        if self.after and not self.stored and not self.refused:
            self._idle_until = time.monotonic() + IDLE_FACTOR * (time.monotonic() - began)

    def _walk(self, until: float, pool: SandboxPool) -> None:
        listed = self._store.listed(self.after, self._source.folder)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as threads:
            for _ in range(MOST_PAGES):
                page = list(islice(listed, PAGE))
                new = self._new(page)
                for start in range(0, len(new), AT_ONCE):
                    batch = new[start : start + AT_ONCE]
                    ended = [*threads.map(lambda each: self._take(each[0], each[1], pool), batch)]
                    self.after = batch[-1][1].name
                    self.stored += ended.count("stored")
                    self.refused += ended.count("refused")
                    errors = [each for each in ended if isinstance(each, ImagoMortisError)]
                    if len(errors) == len(batch):
                        raise errors[0]
                    if time.monotonic() >= until:
                        return
                self.after = page[-1].name if len(page) == PAGE else ""
                if not self.after or time.monotonic() >= until:
                    return

    def _new(self, page: Sequence[Stored]) -> list[tuple[UUID, Stored]]:
        """Return the objects of a page that are to be taken, with their ids."""
        found = {object_id(self._source, each): each for each in page if self._is_complete(each)}
        now = time.monotonic()
        self._resting = {each: until for each, until in self._resting.items() if now < until}
        left_out = set(self._resting)
        if self._source.take is Take.KEEP and found:
            left_out |= self._seen.seen(found.keys())
        return [(object_id, each) for object_id, each in found.items() if object_id not in left_out]

    def _is_complete(self, found: Stored) -> bool:
        folder = f"{self._source.folder}/" if self._source.folder else ""
        if not found.name.startswith(folder):  # the marker that some programs put for a folder
            return False
        if any(is_partial(part) for part in found.name.removeprefix(folder).split("/")):
            return False
        return not self._is_folder or found.put_at.timestamp() + SETTLE_SECONDS <= time.time()

    def _take(self, object_id: UUID, found: Stored, pool: SandboxPool) -> Outcome | ImagoMortisError | None:
        """Take an object out of the source; return its outcome, or why that is not possible now."""
        try:
            outcome = self._store_or_reject(object_id, found, pool)
        except (_Changed, BytesDamaged):  # its next listing counts; the marker of a folder is listed each time
            self._resting[object_id] = time.monotonic() + REST_SECONDS
            return None
        except ImagoMortisError as error:
            self._resting[object_id] = time.monotonic() + REST_SECONDS
            log.warning("cannot take", source=self.url, filename=clean_filename(found.name), error=error.detail)
            with suppress(ImagoMortisError):  # Postgres can be what is away
                self._seen.count("failed")
            return error
        self._stored_ids.discard(object_id)
        return outcome

    def _store_or_reject(self, object_id: UUID, found: Stored, pool: SandboxPool) -> Outcome:
        began = time.perf_counter()
        try:
            if object_id not in self._stored_ids:
                upload = self._store_in_spool(object_id, found, pool)
                self._stored_ids.add(object_id)
                acceptance.log_stored(upload, time.perf_counter() - began)
                self._seen.count("stored", found.size)
        except RefusedPicture as error:
            self._reject(object_id, found, error.detail)
            acceptance.log_refused(error, clean_filename(found.name), None, time.perf_counter() - began)
            self._seen.count("refused")
            return "refused"
        self._set_aside(object_id, found)
        return "stored"

    def _store_in_spool(self, object_id: UUID, found: Stored, pool: SandboxPool) -> Upload:
        if found.size > self._max_bytes:
            raise PictureTooLarge(
                f"The object has {found.size / MIB:.1f} MiB; at most {self._max_bytes / MIB:.4g} MiB are allowed. "
                "Make the picture smaller and put it into the bucket again."
            )
        self._spool.check_space(found.size)
        with self._spool.draft() as draft:
            sha256 = self._copy(found, draft.original)
            with pool.borrow() as sandbox:
                header = acceptance.check(sandbox, draft.original)
            filename = clean_filename(found.name)
            upload = acceptance.accepted(
                object_id, header, self._choice, filename=filename, size=found.size, sha256=sha256
            )
            acceptance.store(upload, lambda upload: self._spool.store(replace(draft, id=object_id), upload))
        return upload

    def _copy(self, found: Stored, path: Path) -> bytes:
        """Copy an object to a file, and return its SHA-256; raise _Changed if it is not the listed one any more."""
        digest = hashlib.sha256()
        with path.open("xb") as file:
            for part in self._parts(found):
                digest.update(part)
                file.write(part)
        self._expect(found)
        return digest.digest()

    def _parts(self, found: Stored) -> Iterator[bytes]:
        for start in range(0, found.size, PART):
            wanted = min(PART, found.size - start)
            part = self._store.read(found.name, start, wanted)
            if len(part) != wanted:
                raise Unavailable(f"The store sent {len(part)} of {wanted} bytes. Nothing is lost.", retry_after=5)
            yield part

    def _expect(self, found: Stored) -> None:
        now = self._store.head(found.name)
        if now is None or (now.size, now.etag) != (found.size, found.etag):
            raise _Changed

    def _set_aside(self, object_id: UUID, found: Stored) -> None:
        """Move, remove or note a stored object, but not a new one that has replaced it."""
        if self._source.take is Take.KEEP:
            self._seen.note(object_id)
        elif self._source.take is Take.MOVE:
            self._move(found, self._free_name(object_id, found, TAKEN))
        else:
            self._expect(found)
            self._store.delete([found.name])

    def _reject(self, object_id: UUID, found: Stored, reason: str) -> None:
        if self._source.take is Take.KEEP:
            self._seen.note(object_id, found.name, reason)
            return
        name = self._free_name(object_id, found, REJECTED)
        self._store.put({f"{name}.reason.txt": f"{reason}\n".encode()}, {f"{name}.reason.txt": "text/plain"})
        self._move(found, name)

    def _move(self, found: Stored, name: str) -> None:
        self._store.copy(found.name, name)
        self._expect(found)
        self._store.delete([found.name])

    def _free_name(self, object_id: UUID, found: Stored, folder: str) -> str:
        """Return a name in ``folder``, beside the source, that no other object has."""
        parents, _, last = found.name.removeprefix(f"{self._source.folder}/").rpartition("/")
        place = f"{folder}/{parents}/" if parents else f"{folder}/"
        last = last.encode()[-LONGEST_NAME:].decode(errors="ignore")  # the end has the suffix
        return f"{place}{last}" if self._store.head(f"{place}{last}") is None else f"{place}{str(object_id)[:8]}-{last}"
