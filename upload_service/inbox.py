"""Watches the inbox: a folder of the spool into which people and rsync put files.

The inbox is polled, because notifications miss the files that other hosts write. A file leaves the inbox only after its
entry is durable. After a crash in between, the same entry is made again, with the same id.

The inbox itself can be a link to another disk. Below it no link is followed, not even if a folder is replaced by one:
files are opened, moved and removed by the descriptor of their folder.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4, uuid5

from imagomortis.errors import ImagoMortisError, PictureTooLarge, RefusedPicture
from imagomortis.logs import Log
from imagomortis.recipe.recipe_choice import choose
from imagomortis.spool.spool import Spool
from imagomortis.spool.upload import clean_filename, is_partial
from upload_service.body import MIB
from upload_service.metrics import UploaderMetrics
from upload_service.store.intake import Arrival, DraftFile, Intake
from upload_service.store.receipt import Receipt

log = Log(__name__)

SETTLE_SECONDS: Final = 2.0
"""A file counts as complete if it has not changed for so many seconds."""

LOOK_SECONDS: Final = 0.5
"""The pause between two polls."""

RETRY_SECONDS: Final = 10.0
"""The pause after an error of the disk, or of one file for a reason other than its picture."""

_AT_ONCE = 4
_PORTION = 256 * 1024
_NAMESPACE = UUID("6f0c1d0e-52a5-4d43-9f0c-1f6f3a6f7b11")


@dataclass(frozen=True)
class FileIdentity:
    """Identifies one version of a file: another file, or the same file after a change, has another identity."""

    inode: int
    size: int
    modified: int
    changed: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Return the identity of the file that has this status."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)

    def is_moved_to(self, other: FileIdentity) -> bool:
        """Whether ``other`` is this file after a rename, which changes its change time."""
        return self == replace(other, changed=self.changed)

    def entry_id(self, name: str, sha256: bytes) -> UUID:
        """Return the id of this file's entry.

        After a crash, the same file gives the same id. A file that is put into the inbox again gets another id, even
        with the same name, content and time, because its change time differs.
        """
        parts = [os.fsencode(name).hex(), self.inode, self.size, self.modified, self.changed, sha256.hex()]
        return uuid5(_NAMESPACE, "/".join(map(str, parts)))


class _Changed(Exception):
    """A file that has changed since it was seen."""


class _Unreadable(Exception):
    """A file that cannot be read, for a reason other than the spool."""


@dataclass
class _Sighting:
    """A seen file: when it last changed, when to try it again, and whether it is stored already."""

    identity: FileIdentity
    since: float
    not_before: float = 0.0
    is_stored: bool = False


class Inbox:
    """Takes files out of the inbox. Any number of uploaders can watch the same one."""

    def __init__(
        self,
        intake: Intake,
        spool: Spool,
        metrics: UploaderMetrics,
        max_bytes: int,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        """Take the intake of a spool, the largest number of bytes of a file, and when a file counts as complete."""
        self._intake = intake
        self._spool = spool
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._settle_seconds = settle_seconds
        self._sightings: dict[Path, _Sighting] = {}
        self._is_away = False

    async def watch(self) -> None:
        """Poll the inbox until cancelled."""
        while True:
            pause = LOOK_SECONDS
            try:
                await self.look()
            except ImagoMortisError as error:
                log.warning("waiting", error=error.detail)
                pause = RETRY_SECONDS
            except Exception as error:  # a bug must not end the watch; every poll starts anew
                log.exception("crashed", error=repr(error))
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Poll once: take the complete files, and return their number.

        Raises DiskFull or Unavailable; the remaining files stay.
        """
        settled = await self._intake.run(self._settled)
        for start in range(0, len(settled), _AT_ONCE):
            takes = [self._take(path) for path in settled[start : start + _AT_ONCE]]
            for end in await asyncio.gather(*takes, return_exceptions=True):
                if end is not None:
                    raise end
        return len(settled)

    def _settled(self) -> list[Path]:
        """Return the files that are complete."""
        now = time.monotonic()
        before, self._sightings = self._sightings, {}
        for path, identity in self._scan():
            sighting = before.get(path)
            is_same = sighting is not None and sighting.identity == identity
            self._sightings[path] = sighting if sighting and is_same else _Sighting(identity, now)
        return [
            path
            for path, sighting in self._sightings.items()
            if now - sighting.since >= self._settle_seconds and now >= sighting.not_before
        ]

    def _scan(self) -> Iterator[tuple[Path, FileIdentity]]:
        try:
            yield from _files(self._spool.inbox)
        except OSError as error:
            if not self._is_away:
                log.warning("inbox away", error=str(error))
            self._is_away = True
            if self._spool.ready.is_dir():  # the disk is there, so only the folder was removed
                with suppress(OSError):  # it is a file, or not ours; the line above tells an operator
                    self._spool.inbox.mkdir(exist_ok=True)
        else:
            self._is_away = False

    async def _take(self, path: Path) -> None:
        """Store a file and remove it from the inbox, or reject it; leave it there if neither is possible now."""
        sighting = self._sightings[path]
        try:
            await self._store_or_reject(path, sighting)
        except (_Changed, FileNotFoundError):
            pass  # its next sighting counts, if there is one
        except (_Unreadable, OSError) as error:
            sighting.not_before = time.monotonic() + RETRY_SECONDS
            log.warning("cannot take", filename=clean_filename(path.name), error=str(error))

    async def _store_or_reject(self, path: Path, sighting: _Sighting) -> None:
        if not sighting.is_stored:
            receipt = Receipt(self._intake, self._metrics, "inbox", "inbox")
            try:
                await self._store(path, sighting.identity, receipt)
            except RefusedPicture as error:
                receipt.refuse(error, clean_filename(path.name))
                reason = error.detail
                await self._intake.run(lambda: self._reject(path, sighting.identity, reason))
                return
            sighting.is_stored = True
        await self._intake.run(lambda: self._remove(path, sighting.identity))

    async def _store(self, path: Path, identity: FileIdentity, receipt: Receipt) -> None:
        async with self._intake.draft(lambda: self._spool.check_space(identity.size)) as file:
            arrival = await self._intake.run(lambda: self._copy(path, identity, file))
            header = await receipt.check(arrival.path)
            await receipt.store(arrival, header, choose(None))

    def _copy(self, path: Path, identity: FileIdentity, file: DraftFile) -> Arrival:
        """Copy a file to a draft, so that a program that still writes to the file cannot change the checked bytes."""
        if not stat.S_ISREG(identity.mode):
            raise RefusedPicture("Only plain files are taken here, no links. Put the picture itself into the inbox.")
        if identity.size > self._max_bytes:
            raise PictureTooLarge(
                f"The file has {identity.size / MIB:.1f} MiB; at most {self._max_bytes / MIB:.4g} MiB are allowed. "
                "Make the picture smaller and put it into the inbox again."
            )
        arrival = file.finish(path.name, self._portions(path, identity))
        return replace(arrival, id=identity.entry_id(str(path.relative_to(self._spool.inbox)), arrival.sha256))

    def _portions(self, path: Path, identity: FileIdentity) -> Iterator[bytes]:
        """Yield the bytes of a file; raise _Changed or _Unreadable."""
        try:
            with _opened(self._spool.inbox, path.parent) as folder:
                yield from _read(folder, path.name, identity)
        except FileNotFoundError:
            raise _Changed from None
        except OSError as error:
            raise _Unreadable(str(error)) from error

    def _reject(self, path: Path, identity: FileIdentity, reason: str) -> None:
        with _opened(self._spool.inbox, path.parent) as folder:
            _expect(folder, path.name, identity)
            self._spool.reject(path, reason, folder)

    def _remove(self, path: Path, identity: FileIdentity) -> None:
        """Remove a stored file, but never a new file that has replaced it."""
        with _opened(self._spool.inbox, path.parent) as folder:
            _expect(folder, path.name, identity)
            aside = self._spool.incoming / f"{uuid4()}.taken"
            try:
                os.rename(path.name, aside, src_dir_fd=folder)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                os.unlink(path.name, dir_fd=folder)  # the inbox is on another disk, and there is no better way
                return
            if identity.is_moved_to(FileIdentity.of(aside.lstat())):
                aside.unlink()
            else:
                _put_back(aside, folder, path.name)


def _files(top: Path) -> Iterator[tuple[Path, FileIdentity]]:
    """Yield the files in a folder and the folders in it, but not those that are still being transferred."""
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            found = _listed(top, folder)
        except OSError:
            if folder == top:
                raise
            continue  # removed just now, or not readable for us
        for name, status in found:
            if stat.S_ISDIR(status.st_mode):
                folders.append(folder / name)
            else:
                yield folder / name, FileIdentity.of(status)


def _listed(top: Path, folder: Path) -> list[tuple[str, os.stat_result]]:
    """Return the names in a folder, each with its status, without files that are still being transferred."""
    found = []
    with _opened(top, folder) as descriptor, os.scandir(descriptor) as listing:
        for entry in listing:
            if not is_partial(entry.name):
                with suppress(FileNotFoundError):
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
    return found


@contextmanager
def _opened(top: Path, folder: Path) -> Iterator[int]:
    """Open ``folder``, which is ``top`` or below it, for the block; raise OSError if its path has a link."""
    descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in folder.relative_to(top).parts:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: int, name: str, identity: FileIdentity) -> Iterator[bytes]:
    """Yield the bytes of a file; raise _Changed if it is another one at the beginning or at the end."""
    _expect(folder, name, identity)
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        while source.tell() <= identity.size and (portion := source.read(_PORTION)):
            yield portion
        if FileIdentity.of(os.fstat(source.fileno())) != identity:
            raise _Changed


def _expect(folder: int, name: str, identity: FileIdentity) -> None:
    if FileIdentity.of(os.stat(name, dir_fd=folder, follow_symlinks=False)) != identity:
        raise _Changed


def _put_back(aside: Path, folder: int, name: str) -> None:
    """Move a file back to the inbox, under another name if its own is taken."""
    is_taken = name in os.listdir(folder)
    os.rename(aside, f"{uuid4().hex[:8]}-{name}" if is_taken else name, dst_dir_fd=folder)
