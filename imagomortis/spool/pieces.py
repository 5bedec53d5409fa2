"""Stores uploads that arrive in pieces in an object store, so that any uploader can take any piece.

::

    incoming/<uuid>/
        <offset>            a piece: its offset has 20 digits
        note-<length>       the upload's length and the client's metadata; listing the names is enough to count
        stored              the upload is an entry of the spool

A piece is created only if its name is free. So two uploaders never store different bytes of one place, and the offset
never goes back. The uploader that gets the last byte assembles the file on its own disk, checks it, and stores it.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pydantic import ValidationError

from imagomortis.errors import BytesDamaged, ImagoMortisError, InvalidRequest, Unavailable
from imagomortis.logs import Log
from imagomortis.spool.drafts import Draft, storage_error
from imagomortis.spool.object_spool import (
    INCOMING,
    ORPHAN_AGE,
    SWEPT,
    ObjectSpool,
    for_a_while,
    is_of_entry,
    spool_away,
)
from imagomortis.spool.resumable import (
    REMEMBER_SECONDS,
    Note,
    Progress,
    Unfinished,
    UnfinishedUploads,
    digest_of,
    gone,
    locked,
    not_found,
)
from imagomortis.spool.upload import Upload
from imagomortis.storage.object_store import PART
from imagomortis.storage.storage import Stored

log = Log(__name__)

MOST_PIECES: Final = 10_000
"""Pieces of one upload. Each request that adds bytes lists them all."""

_NOTE: Final = "note-"
_STORED: Final = "stored"


@dataclass(frozen=True)
class _Arrived:
    """The objects of one upload."""

    objects: tuple[Stored, ...]

    @property
    def pieces(self) -> list[Stored]:
        """The pieces, in the order of their offsets."""
        return [each for each in self.objects if _last(each).isdecimal()]

    @property
    def note(self) -> str:
        """The name of the note; empty if the upload was removed."""
        return next((each.name for each in self.objects if _last(each).startswith(_NOTE)), "")

    @property
    def length(self) -> int:
        """The announced length."""
        return int(self.note.rpartition(_NOTE)[2])

    @property
    def is_stored(self) -> bool:
        """Whether the upload is an entry of the spool."""
        return any(_last(each) == _STORED for each in self.objects)

    @property
    def touched(self) -> datetime:
        """When its last object was put."""
        return max(each.put_at for each in self.objects)

    @property
    def received(self) -> int:
        """The number of bytes from the beginning that are there without a gap."""
        end = 0
        for piece in self.pieces:
            if int(_last(piece)) != end:
                break
            end += piece.size
        return end


class ObjectUploads(UnfinishedUploads):
    """The uploads of a spool in an object store that arrive in pieces.

    Each uploader counts the unfinished uploads itself, at intervals. So several of them together can exceed the limits
    by the uploads that begin within a few seconds.
    """

    def __init__(
        self,
        spool: ObjectSpool,
        keep_seconds: float,
        *,
        most_uploads: float = math.inf,
        most_bytes: float = math.inf,
    ) -> None:
        """Take the spool, the seconds for which an idle upload is kept, and the limits of unfinished uploads."""
        super().__init__(spool, most_uploads=most_uploads, most_bytes=most_bytes)
        self._spool = spool
        self._objects = spool.objects
        self._keep = timedelta(seconds=keep_seconds)
        self._held: set[UUID] = set()
        self._holding = threading.Lock()

    def begin(self, note: Note, promised: int = 0) -> ObjectUpload:
        """Begin an upload, which the caller holds until it closes it; raises Unavailable or DiskFull."""
        self._admit(note.length, promised)
        identifier = uuid4()
        name, data = f"{_folder(identifier)}/{_NOTE}{note.length}", note.model_dump_json().encode()
        self._objects.put({name: data})
        with self._holding:
            self._held.add(identifier)
        arrived = _Arrived((Stored(name, len(data), datetime.now(UTC)),))
        return ObjectUpload(self._spool, self, identifier, note, arrived)

    def open(self, identifier: UUID) -> ObjectUpload:
        """Return an upload, which the caller holds until it closes it; raises NotFound, Gone, Locked or Unavailable.

        The hold is this process's own. An upload that another uploader holds is found out by its next piece.
        """
        with self._holding:
            if identifier in self._held:
                raise locked()
            self._held.add(identifier)
        try:
            arrived = self.arrived(identifier)
            note = self._note(arrived)
            return ObjectUpload(self._spool, self, identifier, note, arrived)
        except BaseException:
            self.release(identifier)
            raise

    def release(self, identifier: UUID) -> None:
        """Let other requests hold an upload."""
        with self._holding:
            self._held.discard(identifier)

    def look(self, identifier: UUID) -> Progress:
        """Return an upload's progress, even while another request writes to it; raises NotFound, Gone, Unavailable."""
        arrived = self.arrived(identifier)
        note = self._note(arrived)
        if arrived.is_stored:
            return Progress(note, note.length, None)
        return self.progress(note, arrived.received, arrived.touched)

    def progress(self, note: Note, received: int, touched: datetime) -> Progress:
        """Return the progress of an upload that is not stored: the last byte counts as missing."""
        return Progress(note, min(received, max(0, note.length - 1)), touched + self._keep)

    def arrived(self, identifier: UUID) -> _Arrived:
        """List the objects of an upload; raises NotFound or Gone."""
        arrived = _Arrived(tuple(self._objects.listed(folder=_folder(identifier))))
        if not arrived.note:
            raise not_found()
        if not arrived.is_stored and arrived.touched + self._keep < datetime.now(UTC):
            raise gone()
        return arrived

    def sweep(self, remember_seconds: float = REMEMBER_SECONDS) -> int:
        """Remove expired uploads and what complete ones left, of the next page of objects; return how many."""
        with spool_away():
            page = _by_upload(self._spool.swept_incoming.page(SWEPT))
            old = [folder for folder, arrived in page if self._is_over(arrived, remember_seconds)]
            return sum(self._sweep(folder, remember_seconds) for folder in for_a_while(old))

    def _sweep(self, folder: str, remember_seconds: float) -> bool:
        arrived = _Arrived(tuple(self._objects.listed(folder=folder)))  # the page can have a part of them only
        is_over = bool(arrived.objects) and self._is_over(arrived, remember_seconds)
        if is_over:
            self.erase(arrived)
        return is_over

    def erase(self, arrived: _Arrived) -> None:
        """Remove the objects of an upload. Without the note, it does not exist any more."""
        names = [each.name for each in arrived.objects]
        self._objects.delete(name for name in names if f"/{_NOTE}" in name)
        self._objects.delete(name for name in names if f"/{_NOTE}" not in name)

    def _is_over(self, arrived: _Arrived, remember_seconds: float) -> bool:
        age = datetime.now(UTC) - arrived.touched
        if not arrived.note:
            return age > ORPHAN_AGE
        return age > (timedelta(seconds=remember_seconds) if arrived.is_stored else self._keep)

    def _count(self) -> Unfinished:
        found = Unfinished()
        for _, arrived in _by_upload(self._objects.listed(folder=INCOMING)):
            if arrived.note and not arrived.is_stored:
                found = found.plus(arrived.length, arrived.length)  # they need no space on this disk
        return found

    def _note(self, arrived: _Arrived) -> Note:
        try:
            return Note.model_validate_json(self._objects.read(arrived.note, 0, PART))
        except (BytesDamaged, ValidationError):  # it was removed just now, or no client was told of it
            raise not_found() from None


class ObjectUpload:
    """An upload whose bytes are being received. Its methods block, so threads call them, one at a time.

    Its file on the disk has the bytes of this request at their place; those before are in the store.
    """

    def __init__(
        self, spool: ObjectSpool, uploads: ObjectUploads, identifier: UUID, note: Note, arrived: _Arrived
    ) -> None:
        """Take the spool, its uploads, and the description and the objects of this one."""
        self.id = identifier
        self.note = note
        self.is_complete = arrived.is_stored
        """Whether it is an entry of the spool already."""
        self.draft = Draft(identifier, spool.incoming / str(uuid4()))
        self._spool = spool
        self._uploads = uploads
        self._earlier = arrived.pieces
        self._pieces = [each.name for each in arrived.pieces]
        self._touched = arrived.touched
        self._kept = arrived.received
        self.offset = note.length if arrived.is_stored else min(self._kept, max(0, note.length - 1))
        """The number of bytes received."""
        self._start = self._held_to = self.offset
        self._is_over = arrived.is_stored
        self._descriptor: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.offset == self.note.length

    def progress(self) -> Progress:
        """Make the received bytes durable, and return the upload's progress; raises Locked or Unavailable."""
        if self.is_complete:
            return Progress(self.note, self.note.length, None)
        self._keep(1)
        return self._uploads.progress(self.note, self._kept, self._touched)

    def expect(self, count: int) -> None:
        """Raise DiskFull if ``count`` more bytes would use the disk's reserve, or Unavailable."""
        try:
            self._spool.check_space(count)
        except OSError as error:
            raise storage_error(error) from error

    def write(self, portions: Iterable[bytes | bytearray]) -> None:
        """Append bytes; raises DiskFull, Locked or Unavailable, and keeps what could be written."""
        for portion in portions:
            self._put_down(portion, self.offset)
            self.offset += len(portion)
            self._keep(PART)
        self._held_to = self.offset

    def hold(self, portions: Iterable[bytes | bytearray]) -> None:
        """Store bytes on the disk that count only after `accept`; raises DiskFull or Unavailable."""
        for portion in portions:
            self._put_down(portion, self._held_to)
            self._held_to += len(portion)

    def accept(self) -> None:
        """Append the bytes that were held; raises Locked or Unavailable."""
        self.offset = self._held_to
        self._keep(PART)

    def whole_file(self) -> tuple[Path, bytes]:
        """Fetch the pieces that are not on this disk; return the file with all bytes, and their SHA-256."""
        self.expect(self._start)
        self._put_down(b"", 0)
        for offset, data in self._fetched():
            self._put_down(data, offset)
        self._start = 0
        return self.draft.original, digest_of(self.draft.original)

    def store(self, upload: Upload) -> None:
        """Make it a durable entry of the spool; raises Unavailable."""
        self._spool.store(self.draft, upload)
        self.is_complete = self._is_over = True
        self._uploads.count_anew()
        try:
            self._spool.objects.put({f"{_folder(self.id)}/{_STORED}": b"yes"})
            self._spool.objects.delete(self._pieces)
        except Unavailable as error:  # the entry is what counts; the sweep removes the rest
            log.warning("pieces left", image=self.id, error=error.detail)

    def remove(self) -> None:
        """End the upload, and remove its objects."""
        self._is_over = True
        self._uploads.erase(_Arrived(tuple(self._spool.objects.listed(folder=_folder(self.id)))))
        self._uploads.count_anew()

    def close(self) -> None:
        """Keep the received bytes if that is possible, and release the upload, so that other requests can write."""
        try:
            self._keep(1)
        except ImagoMortisError as error:  # no client was told that they are there
            log.warning("bytes lost", image=self.id, bytes=self.offset - self._kept, error=error.detail)
        finally:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)
                self._spool.discard(self.draft)
            self._uploads.release(self.id)

    def _put_down(self, data: bytes | bytearray, offset: int) -> None:
        """Write bytes to the file on the disk."""
        try:
            if self._descriptor is None:
                self._spool.begin(self.draft)
                self._descriptor = os.open(self.draft.original, os.O_RDWR | os.O_CREAT, 0o600)
            self._spool.check_space(len(data))
            rest = memoryview(data)
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                offset += written
                rest = rest[written:]
        except OSError as error:
            raise storage_error(error) from error

    def _keep(self, least: int) -> None:
        """Put received bytes into the store while there are at least so many that are not there."""
        while not self._is_over and self._descriptor is not None and self.offset - self._kept >= least:
            data = os.pread(self._descriptor, min(PART, self.offset - self._kept), self._kept)
            if len(self._pieces) >= MOST_PIECES:
                raise InvalidRequest(f"The upload has {MOST_PIECES:,} pieces. Send it anew, in larger pieces.")
            name = f"{_folder(self.id)}/{self._kept:020}"
            if not self._spool.objects.create(name, data):
                self._is_over = True  # another uploader stores these bytes
                raise locked()
            self._pieces.append(name)
            self._kept += len(data)
            self._touched = datetime.now(UTC)

    def _fetched(self) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes before those of this request, each portion with its offset."""
        for piece in self._earlier:
            begin = int(_last(piece))
            for start in range(0, piece.size if begin < self._start else 0, PART):
                data = self._spool.objects.read(piece.name, start, PART)
                if len(data) != min(PART, piece.size - start):
                    raise Unavailable("The store sent a part of a piece only. Send the last byte again.", retry_after=5)
                yield begin + start, data


def _folder(identifier: UUID) -> str:
    return f"{INCOMING}/{identifier}"


def _by_upload(objects: Iterable[Stored]) -> Iterator[tuple[str, _Arrived]]:
    """Yield the folder of each upload with its objects, in the order of the names."""
    for folder, group in groupby(filter(is_of_entry, objects), lambda each: each.name.rpartition("/")[0]):
        yield folder, _Arrived(tuple(group))


def _last(each: Stored) -> str:
    return each.name.rpartition("/")[2]
