"""Stores uploads that arrive in pieces: each is a folder of the spool until its last byte, then a note for a while.

::

    <spool>/tus/<uuid>/
        note.json           the upload's length and the client's metadata; also the writer's lock
        entry/original      the bytes received so far
        held                bytes whose checksum is still to be compared

With the last byte, one rename turns ``entry/`` into an entry of the spool. The note stays, and tells a client that
missed the answer that its upload is complete. Until the entry is durable, the last byte counts as missing, whatever is
on the disk. So a client that got no answer sends the byte again, and gets one.

Nothing is kept in memory: any number of uploaders can work on one folder, and one that dies leaves no lock behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagomortis.errors import DiskFull, ImagoMortisError, NotFound, Unavailable
from imagomortis.spool.drafts import ORIGINAL, Draft, Drafts, last_touched, storage_error
from imagomortis.spool.spool import Spool, sync
from imagomortis.spool.upload import Upload

REMEMBER_SECONDS: Final = 3600.0
"""How long a complete upload is remembered, for a client that missed the answer."""

COUNT_SECONDS: Final = 1.0
"""The least time for which a count of unfinished uploads is reused."""

COUNT_SHARE: Final = 0.05
"""Largest share of the time that is spent on counting them."""

_NOTE = "note.json"
_ENTRY = "entry"
_HELD = "held"
_PORTION = 1024 * 1024


class Gone(ImagoMortisError):
    """An upload that has expired."""

    status = 410
    slug = "gone"
    title = "The upload has expired"


class Locked(ImagoMortisError):
    """An upload to which another request is writing."""

    status = 423
    slug = "locked"
    title = "Another request is at work on this upload"


class Note(BaseModel):
    """What a client announces about an upload: its ``length`` in bytes, and its ``metadata`` exactly as sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=0)
    metadata: str = ""
    filename: str
    recipe: str | None = None


@dataclass(frozen=True)
class Progress:
    """An upload's progress: all bytes before ``offset`` are durable; ``expires`` is None once it is complete."""

    note: Note
    offset: int
    expires: datetime | None


@dataclass(frozen=True)
class Unfinished:
    """The number of unfinished uploads, the bytes that they will have, and how many of these are missing."""

    uploads: int = 0
    bytes: int = 0
    missing: int = 0

    def plus(self, length: int, came: int) -> Unfinished:
        """Return these figures with one more upload."""
        return Unfinished(self.uploads + 1, self.bytes + length, self.missing + length - came)


class UnfinishedUploads(ABC):
    """Counts the unfinished uploads of a spool now and then, and limits them."""

    def __init__(self, drafts: Drafts, *, most_uploads: float = math.inf, most_bytes: float = math.inf) -> None:
        """Take the disk for their bytes, and their limits."""
        self._drafts = drafts
        self._most_uploads = most_uploads
        self._most_bytes = most_bytes
        self._lock = threading.RLock()
        self._unfinished = Unfinished()
        self._is_estimate = False
        self._count_again = 0.0

    def unfinished(self) -> Unfinished:
        """Return the unfinished uploads, by a recent count; raises OSError."""
        with self._lock:
            began = time.monotonic()
            if began >= self._count_again:
                self._unfinished, self._is_estimate = self._count(), False
                ended = time.monotonic()
                self._count_again = ended + max(COUNT_SECONDS, (ended - began) / COUNT_SHARE)
            return self._unfinished

    def count_anew(self) -> None:
        """Note that an upload has ended since the last count."""
        self._is_estimate = True

    def _admit(self, length: int, promised: int) -> None:
        with self._lock:
            try:
                self._check(length, promised)
            except (DiskFull, Unavailable):
                if not self._is_estimate:
                    raise
                # uploads that are counted can have ended by now
                self._count_again = 0.0
                self._check(length, promised)
            self._unfinished = self._unfinished.plus(length, 0)
            self._is_estimate = True

    def _check(self, length: int, promised: int) -> None:
        others = self.unfinished()
        if others.uploads >= self._most_uploads or others.bytes + length > self._most_bytes:
            raise Unavailable(
                f"There are {others.uploads:,} unfinished uploads of {others.bytes // 2**20:,} MiB, and no room for "
                "another one. Go on with one of them or end it, or wait: they expire.",
                retry_after=60,
            )
        self._drafts.check_space(length + others.missing + promised)

    @abstractmethod
    def _count(self) -> Unfinished: ...


class ResumableUploads(UnfinishedUploads):
    """The uploads of a spool that arrive in pieces."""

    def __init__(
        self,
        spool: Spool,
        keep_seconds: float,
        *,
        most_uploads: float = math.inf,
        most_bytes: float = math.inf,
    ) -> None:
        """Take the spool, the seconds for which an idle upload is kept, and the limits of unfinished uploads."""
        super().__init__(spool, most_uploads=most_uploads, most_bytes=most_bytes)
        self._spool = spool
        self._keep_seconds = keep_seconds
        self._complete: set[str] = set()

    def begin(self, note: Note, promised: int = 0) -> ResumableUpload:
        """Begin an upload, which the caller holds until it closes it.

        Raises Unavailable, also for too many unfinished uploads. Raises DiskFull if there is no space for it besides
        the bytes ``promised`` to others and the unfinished uploads.
        """
        identifier = uuid4()
        folder = self._folder(identifier)
        draft = Draft(identifier, folder / _ENTRY)
        try:
            self._admit(note.length, promised)
            folder.mkdir()
            draft.folder.mkdir()
            draft.original.touch()
            (folder / _NOTE).write_text(note.model_dump_json(), encoding="utf-8")
        except OSError as error:
            self._spool.remove(folder)
            raise storage_error(error) from error
        return self._hold(identifier, is_new=True)

    def _count(self) -> Unfinished:
        names = set(os.listdir(self._spool.tus))  # noqa: PTH208  # there are many, and only their names are needed
        self._complete &= names
        found = Unfinished()
        for name in names - self._complete:
            folder = self._spool.tus / name
            try:
                came = (folder / _ENTRY / ORIGINAL).stat().st_size
                found = found.plus(self._note(folder).length, came)
            except FileNotFoundError:
                # the note is written last: if there is no entry beside it, the upload is complete for ever
                if (folder / _NOTE).exists() and not (folder / _ENTRY).exists():
                    self._complete.add(name)
            except (OSError, NotFound):
                continue
        return found

    def open(self, identifier: UUID) -> ResumableUpload:
        """Return an upload, which the caller holds until it closes it.

        Raises NotFound, Gone, Locked, and Unavailable for a disk error.
        """
        return self._hold(identifier)

    def _hold(self, identifier: UUID, *, is_new: bool = False) -> ResumableUpload:
        folder = self._folder(identifier)
        with _explained():
            descriptor = os.open(folder / _NOTE, os.O_RDWR)
        try:
            with _explained():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # the previous holder of the lock can have removed the upload
                if not os.path.samestat(os.fstat(descriptor), (folder / _NOTE).stat()):
                    raise not_found()
                draft = Draft(identifier, folder / _ENTRY)
                return ResumableUpload(self._spool, self, draft, self._note(folder), descriptor, is_new=is_new)
        except BaseException:
            _let_go(descriptor)
            raise

    def look(self, identifier: UUID) -> Progress:
        """Return an upload's progress, even while another request writes to it; raises NotFound or Gone."""
        folder = self._folder(identifier)
        with _explained():
            return self.progress(Draft(identifier, folder / _ENTRY), self._note(folder))

    def progress(self, draft: Draft, note: Note) -> Progress:
        """Return the progress of the upload in ``draft``; raises NotFound or Gone, and OSError for a disk error."""
        try:
            descriptor = os.open(draft.original, os.O_RDONLY)
        except FileNotFoundError:
            # an upload is removed as a whole: if its note still exists, only its entry was moved
            (draft.folder.parent / _NOTE).stat()
            return Progress(note, note.length, None)
        try:
            status = os.fstat(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        expires = status.st_mtime + self._keep_seconds
        if expires < time.time():
            raise gone()
        return Progress(note, min(status.st_size, max(0, note.length - 1)), datetime.fromtimestamp(expires, UTC))

    def sweep(self, remember_seconds: float = REMEMBER_SECONDS) -> int:
        """Remove expired uploads and old notes of complete ones; return how many were removed."""
        removed = 0
        for folder in self._spool.tus.iterdir():
            seconds = self._keep_seconds if (folder / _ENTRY).exists() else remember_seconds
            if last_touched(folder) < time.time() - seconds:
                self._spool.remove(folder)
                removed += 1
        return removed

    def _folder(self, identifier: UUID) -> Path:
        return self._spool.tus / str(identifier)

    def _note(self, folder: Path) -> Note:
        try:
            return Note.model_validate_json((folder / _NOTE).read_bytes())
        except ValidationError:  # a damaged note was never confirmed to a client
            raise not_found() from None


class ResumableUpload:
    """An upload and the right to write to it. Its methods block, so threads call them, one at a time."""

    def __init__(
        self,
        spool: Spool,
        uploads: ResumableUploads,
        draft: Draft,
        note: Note,
        descriptor: int,
        *,
        is_new: bool = False,
    ) -> None:
        """Take the descriptor that holds the lock; raises Gone."""
        self.draft = draft
        self.note = note
        progress = uploads.progress(draft, note)
        self.offset = progress.offset
        """The number of bytes received."""
        self.is_complete = progress.expires is None
        """Whether it is an entry of the spool already."""
        self._spool = spool
        self._uploads = uploads
        self._lock = descriptor
        self._is_new = is_new
        self._held_file = draft.folder.parent / _HELD
        self._original: int | None = None
        self._held: int | None = None

    @property
    def id(self) -> UUID:
        """The id of the upload, and of the image that it becomes."""
        return self.draft.id

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.offset == self.note.length

    def progress(self) -> Progress:
        """Make the received bytes durable, and return the upload's progress; raises NotFound or Unavailable."""
        with _explained():
            if self._is_new and not self.is_complete:
                folder = self.draft.folder.parent
                for path in (folder / _NOTE, self.draft.folder, folder, folder.parent):
                    sync(path)
                self._is_new = False
            return self._uploads.progress(self.draft, self.note)

    def expect(self, count: int) -> None:
        """Raise DiskFull if ``count`` more bytes would use the disk's reserve, or Unavailable."""
        with _explained():
            self._spool.check_space(count)

    def write(self, portions: Iterable[bytes | bytearray]) -> None:
        """Append bytes; raises DiskFull or Unavailable, and keeps what could be written."""
        try:
            if self._original is None:
                self._original = os.open(self.draft.original, os.O_WRONLY)
            for portion in portions:
                self._spool.check_space(len(portion))
                rest = memoryview(portion)
                while rest:
                    written = os.pwrite(self._original, rest, self.offset)
                    self.offset += written
                    rest = rest[written:]
        except OSError as error:
            raise storage_error(error) from error

    def hold(self, portions: Iterable[bytes | bytearray]) -> None:
        """Store bytes aside until `accept`; raises DiskFull or Unavailable."""
        try:
            if self._held is None:
                self._held = os.open(self._held_file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            for portion in portions:
                self._spool.check_space(len(portion))
                rest = memoryview(portion)
                while rest:
                    rest = rest[os.write(self._held, rest) :]
        except OSError as error:
            raise storage_error(error) from error

    def accept(self) -> None:
        """Append the bytes that were held; raises DiskFull or Unavailable."""
        if self._held is not None:
            os.lseek(self._held, 0, os.SEEK_SET)
            while portion := os.read(self._held, _PORTION):
                self.write([portion])

    def whole_file(self) -> tuple[Path, bytes]:
        """Return the file with all bytes, and their SHA-256; raises Unavailable."""
        return self.draft.original, digest_of(self.draft.original)

    def store(self, upload: Upload) -> None:
        """Make it a durable entry of the spool; raises DiskFull or Unavailable."""
        self._drop_held()
        self._spool.store(self.draft, upload)
        self.is_complete = True
        self._uploads.count_anew()

    def remove(self) -> None:
        """End the upload, and remove its files."""
        self._spool.remove(self.draft.folder.parent)
        self._uploads.count_anew()

    def close(self) -> None:
        """Release the upload, so that other requests can write to it."""
        self._drop_held()
        original, self._original = self._original, None
        if original is not None:
            os.close(original)
        _let_go(self._lock)

    def _drop_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            os.close(held)
            with suppress(FileNotFoundError):  # the upload was removed
                self._held_file.unlink()


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file; raises Unavailable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise storage_error(error) from error


@contextmanager
def _explained() -> Iterator[None]:
    """Translate errors of the disk into errors of an upload."""
    try:
        yield
    except FileNotFoundError:
        raise not_found() from None
    except BlockingIOError:
        raise locked() from None
    except OSError as error:
        raise storage_error(error) from error


def _let_go(descriptor: int) -> None:
    """Release a lock at once: after a close alone, a child process that is just starting still holds a copy of it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def locked() -> Locked:
    """Return the error for an upload that another request holds."""
    return Locked(
        "Another request sends bytes of this upload, or they are being checked. Wait a moment, ask how far it is, and "
        "go on from there.",
        retry_after=1,
    )


def gone() -> Gone:
    """Return the error for an expired upload."""
    return Gone("Nothing was added to this upload for too long. Upload the picture anew.")


def not_found() -> NotFound:
    """Return the error for an upload that does not exist."""
    return NotFound("There is no such upload: it was ended, or is long over. Upload the picture anew.")
