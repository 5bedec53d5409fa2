"""Keeps the spool in an object store, so that uploaders and pushers share no disk.

::

    ready/<uuid>/       `original`, then `meta.json`, which makes it an entry
    rejected/<uuid>/    refused entries, each with its `reason.txt`
    incoming/<uuid>/    uploads that arrive in pieces; see `pieces`

A crash while an entry is stored or removed can leave an ``original`` without ``meta.json``. It is removed after a day.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from imagomortis.errors import BytesDamaged, ConfigurationError, Unavailable
from imagomortis.logs import Log
from imagomortis.spool.drafts import ORIGINAL, Draft, Drafts, SpoolAway
from imagomortis.spool.spool import META, MOST_COUNTED, Content, Entry, ForeignEntry
from imagomortis.spool.upload import Upload
from imagomortis.storage.object_store import PART, ObjectStore
from imagomortis.storage.storage import InBucket, Stored

log = Log(__name__)

T = TypeVar("T")

READY: Final = "ready"
REJECTED: Final = "rejected"
INCOMING: Final = "incoming"
REASON: Final = "reason.txt"

BUSY_SECONDS: Final = 60.0
"""How long after the last entry the pusher still looks at the shorter interval."""

ORPHAN_AGE: Final = timedelta(days=1)
"""Age at which an original without ``meta.json`` is removed."""

DRAFT_SECONDS: Final = 3600.0
"""Age at which a draft that an uploader left on its disk is removed."""

SWEPT: Final = 10_000
"""Objects that one sweep looks at."""

SWEEP_SECONDS: Final = 10.0
"""How long one sweep removes objects. The next round through the store removes the rest."""


@dataclass(frozen=True)
class Pace:
    """Seconds between two lists of the entries: while entries come, while none come, and for a count."""

    busy: float = 1.0
    idle: float = 5.0
    count: float = 5.0


USUAL: Final = Pace()


class ObjectSpool(Drafts):
    """A prefix of an object store that uploaders fill and pushers empty; drafts are on the uploader's disk."""

    def __init__(self, store: ObjectStore, folder: Path, reserve_bytes: int = 0, pace: Pace = USUAL) -> None:
        """Take the store, the folder of the drafts, and how many bytes to leave free on its disk."""
        super().__init__(folder, reserve_bytes)
        self.objects = store
        self._pace = pace
        self._scanned = Walk(store, READY)
        self._swept = Walk(store, READY)
        self.swept_incoming = Walk(store, INCOMING)
        """The sweep of uploads in pieces, which lasts for several ticks."""
        self._next_scan = self._busy_until = self._count_again = float("-inf")
        self._count = 0

    def prepare(self) -> None:
        """Create the folder of the drafts, and remove old ones; raises ConfigurationError if that is not possible."""
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {self.folder} for drafts cannot be used ({error.strerror}). Let IMAGOMORTIS_HOME name a "
                "folder that this user may write."
            ) from error
        super().sweep(DRAFT_SECONDS)

    def check_writable(self) -> None:
        """Raise Unavailable if the disk of the drafts or the store takes nothing; remove old drafts."""
        super().check_writable()
        super().sweep(DRAFT_SECONDS)
        probe = f"{INCOMING}/{uuid4()}/probe"  # the sweep removes one that a crash leaves
        self.objects.put({probe: b"probe"})
        self.objects.delete([probe])

    def store(self, draft: Draft, upload: Upload) -> None:
        """Make an entry of a draft; on return it is durable, and visible to the pusher; raises Unavailable."""
        folder = _folder(str(upload.id))
        original = f"{folder / ORIGINAL}"
        self.objects.put({original: draft.original}, {original: upload.media_type})
        self.objects.put({f"{folder / META}": upload.model_dump_json().encode()})

    def scan(self, limit: int) -> list[Path]:
        """Return the places of up to ``limit`` entries; none if the last look was just now.

        Each look begins where the last one ended, so that no entry waits behind newer ones.
        """
        now = time.monotonic()
        if now < self._next_scan:
            return []
        self._next_scan = now + self._pace.idle
        with spool_away():
            found = [Path(each.name).parent for each in self._scanned.page(2 * limit) if _is_meta(each)]
        if found:
            self._busy_until = now + BUSY_SECONDS
        if self._scanned.is_under_way:
            self._next_scan = now
        elif now < self._busy_until:
            self._next_scan = now + self._pace.busy
        return found[:limit]

    def count(self) -> int:
        """Return the number of entries, up to MOST_COUNTED, by a recent list."""
        now = time.monotonic()
        if now >= self._count_again:
            with spool_away():
                objects = islice(self.objects.listed(folder=READY), 2 * MOST_COUNTED)
                self._count = sum(1 for each in objects if _is_meta(each))
            self._count_again = now + self._pace.count
        return self._count

    def read_all(self, folders: Sequence[Path]) -> Iterator[tuple[Path, Entry | ForeignEntry]]:
        """Yield each place with its entry, or with the reason why it is none; leave out those that are gone."""
        with spool_away():
            for folder, meta in zip(folders, self.objects.each(self._meta, folders), strict=True):
                if meta is not None:
                    try:
                        yield folder, Entry.of(folder, meta)
                    except ForeignEntry as error:
                        self._expect_whole(folder, meta)
                        yield folder, error

    def contents(
        self, entries: Sequence[Entry], target: ObjectStore | None = None
    ) -> Iterator[tuple[Entry, Content | ForeignEntry]]:
        """Yield each entry with its bytes, or with the error if they differ from the accepted ones.

        If ``target`` is in the same bucket, the bytes are not read, and only their number is compared.
        """
        with spool_away():
            for entry, content in zip(entries, self._found(entries, target), strict=True):
                if not isinstance(content, BytesDamaged):
                    yield entry, content
                elif self._meta(entry.folder) is not None:  # else another pusher was quicker
                    yield entry, ForeignEntry(content.detail)

    def _found(self, entries: Sequence[Entry], target: ObjectStore | None) -> Sequence[Content | BytesDamaged]:
        if target and self.objects.in_bucket("", target):
            return self.objects.each(lambda entry: self._in_bucket(entry, target), entries)
        return list(self.objects.get({f"{entry.original}": entry.upload.sha256 for entry in entries}).values())

    def _in_bucket(self, entry: Entry, target: ObjectStore) -> InBucket | BytesDamaged:
        name = f"{entry.original}"
        found = self.objects.head(name)
        if found is None or found.size != entry.upload.size:
            return BytesDamaged(f"It holds {found.size if found else 0} bytes where {entry.upload.size} were accepted.")
        return self.objects.in_bucket(name, target) or BytesDamaged(f"{name} is in another bucket.")

    def remove(self, *folders: Path) -> None:
        """Remove entries that the catalog holds. An entry that is already removed is no error."""
        with spool_away():
            for name in (META, ORIGINAL):  # without its meta.json it is no entry any more
                self.objects.delete(f"{folder / name}" for folder in folders)

    def reject(self, thing: Path, reason: str) -> Path | None:
        """Move an entry to ``rejected/``, and write its reason beside it; None if it is already gone."""
        target = Path(REJECTED, thing.name)
        with spool_away():
            try:
                self.objects.copy(f"{thing / META}", f"{target / META}")
            except BytesDamaged:
                return None
            with suppress(BytesDamaged):  # its original can be what is missing
                self.objects.copy(f"{thing / ORIGINAL}", f"{target / ORIGINAL}")
            self.objects.put({f"{target / REASON}": f"{reason}\n".encode()})
        self.remove(thing)
        log.warning("rejected", entry=thing.name, error=reason)
        return target

    def sweep(self, seconds: float) -> int:
        """Remove drafts that were not touched for ``seconds``, and old originals that belong to no entry."""
        with spool_away():
            return super().sweep(seconds) + self._sweep_orphans()

    def _sweep_orphans(self) -> int:
        page, oldest = self._swept.page(SWEPT), datetime.now(UTC) - ORPHAN_AGE
        entries = {Path(each.name).parent for each in page if _is_meta(each)}
        originals = [Path(each.name) for each in page if _is_called(ORIGINAL, each) and each.put_at < oldest]
        lonely = [each for each in originals if each.parent not in entries]
        return sum(self._sweep_orphan(each, oldest) for each in for_a_while(lonely))

    def _sweep_orphan(self, original: Path, oldest: datetime) -> bool:
        """Look anew before the removal: it can be put again just now, and its meta.json can be on another page."""
        found = self.objects.head(f"{original}")
        is_orphan = (
            found is not None and found.put_at < oldest and self.objects.head(f"{original.parent / META}") is None
        )
        if is_orphan:
            self.objects.delete([f"{original}"])
        return is_orphan

    def _expect_whole(self, folder: Path, meta: bytes) -> None:
        """Raise Unavailable if the store sent a part of a meta.json only."""
        found = self.objects.head(f"{folder / META}")
        if found and min(found.size, PART) != len(meta):
            raise Unavailable(f"The store sent a part of {folder / META} only. Nothing is lost.", retry_after=5)

    def _meta(self, folder: Path) -> bytes | None:
        try:
            return self.objects.read(f"{folder / META}", 0, PART)
        except BytesDamaged:
            return None


class Walk:
    """Goes through the objects of a folder page by page, and begins again at the end."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        """Take the store and the folder."""
        self._store = store
        self._folder = folder
        self._after = ""

    @property
    def is_under_way(self) -> bool:
        """Whether there can be more objects after the last page."""
        return bool(self._after)

    def page(self, limit: int) -> list[Stored]:
        """Return the next objects, up to ``limit``."""
        found = list(islice(self._store.listed(self._after, self._folder), limit))
        self._after = found[-1].name if len(found) == limit else ""
        return found


def _folder(name: str) -> Path:
    return Path(READY, name)


def _is_meta(each: Stored) -> bool:
    return _is_called(META, each) and each.size > 0


def _is_called(name: str, each: Stored) -> bool:
    """Whether it is an object of that name in a folder of an entry."""
    return is_of_entry(each) and each.name.endswith(f"/{name}")


def is_of_entry(each: Stored) -> bool:
    """Whether it lies in a folder of one upload. The markers that some programs put for folders do not."""
    return each.name.count("/") == 2


def for_a_while(items: Iterable[T]) -> Iterator[T]:
    """Yield items until SWEEP_SECONDS are over."""
    until = time.monotonic() + SWEEP_SECONDS
    return takewhile(lambda _: time.monotonic() < until, items)


@contextmanager
def spool_away() -> Iterator[None]:
    """Distinguish the spool's store from the storage of pictures, which can be away alone."""
    try:
        yield
    except Unavailable as error:
        raise SpoolAway(error.detail, **error.members) from error
