"""Defines the interfaces of a spool and of its uploads in pieces, for a shared folder and for an object store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from imagomortis.spool.drafts import Draft
from imagomortis.spool.resumable import Note, Progress, Unfinished
from imagomortis.spool.spool import Content, Entry, ForeignEntry
from imagomortis.spool.upload import Upload

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore


class AnySpool(Protocol):
    """Accepted pictures until the catalog holds them. Drafts are on the uploader's disk; entries outlast it.

    Methods raise Unavailable or OSError while the folder or the store is away. Methods that write drafts raise DiskFull
    or Unavailable.
    """

    def prepare(self) -> None:
        """Create the folders; raises ConfigurationError if that is not possible."""

    def check_writable(self) -> None:
        """Raise Unavailable if nothing can be stored."""

    def free_bytes(self) -> int:
        """Return how many bytes are free on the disk of the drafts."""

    def check_space(self, wanted: int = 0) -> None:
        """Raise DiskFull if ``wanted`` more bytes would use the reserve of the disk of the drafts."""

    def draft(self) -> AbstractContextManager[Draft]:
        """Lend a new draft, and remove it at the end."""

    def plan(self) -> Draft:
        """Return a draft that has no files yet."""

    def begin(self, draft: Draft, wanted: int = 0) -> None:
        """Create the folder of a planned draft that will hold ``wanted`` bytes."""

    def discard(self, draft: Draft) -> None:
        """Remove a draft's files."""

    def store(self, draft: Draft, upload: Upload) -> None:
        """Make an entry of a draft; on return it is durable, and visible to the pusher."""

    def scan(self, limit: int) -> list[Path]:
        """Return the places of up to ``limit`` entries, or of something foreign among them, in no particular order."""

    def count(self) -> int:
        """Return the number of entries, up to MOST_COUNTED."""

    def read_all(self, folders: Sequence[Path]) -> Iterator[tuple[Path, Entry | ForeignEntry]]:
        """Yield each place with its entry, or with the reason why it is none; leave out those that are gone."""

    def contents(
        self, entries: Sequence[Entry], target: ObjectStore | None = None
    ) -> Iterator[tuple[Entry, Content | ForeignEntry]]:
        """Yield each entry with its bytes, or with something that the object store ``target`` can take instead.

        If they differ from the accepted ones, the error is yielded instead. Entries that are gone are left out.
        """

    def remove(self, *folders: Path) -> None:
        """Remove entries that the catalog holds. An entry that is already removed is no error."""

    def reject(self, thing: Path, reason: str) -> Path | None:
        """Move an entry to ``rejected/``, and write its reason beside it; None if it is already gone."""

    def sweep(self, seconds: float) -> int:
        """Remove leftovers of a crash that were not touched for ``seconds``; return how many were removed."""


class AnyUpload(Protocol):
    """An upload and the right to write to it. Its methods block, so threads call them, one at a time."""

    @property
    def id(self) -> UUID:
        """The id of the upload, and of the image that it becomes."""

    @property
    def draft(self) -> Draft:
        """Its files on the uploader's disk."""

    @property
    def note(self) -> Note:
        """The description that the client sent when it began the upload."""

    @property
    def offset(self) -> int:
        """The number of bytes received."""

    @property
    def is_complete(self) -> bool:
        """Whether it is an entry of the spool already."""

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""

    def progress(self) -> Progress:
        """Make the received bytes durable, and return the upload's progress."""

    def expect(self, count: int) -> None:
        """Raise DiskFull if ``count`` more bytes would use the disk's reserve."""

    def write(self, portions: Iterable[bytes | bytearray]) -> None:
        """Append bytes, and keep what could be written."""

    def hold(self, portions: Iterable[bytes | bytearray]) -> None:
        """Store bytes aside until `accept`."""

    def accept(self) -> None:
        """Append the bytes that were held."""

    def whole_file(self) -> tuple[Path, bytes]:
        """Return a file with all bytes, and their SHA-256."""

    def store(self, upload: Upload) -> None:
        """Make it a durable entry of the spool."""

    def remove(self) -> None:
        """End the upload, and remove its bytes."""

    def close(self) -> None:
        """Release the upload, so that other requests can write to it."""


class AnyUploads(Protocol):
    """The uploads of a spool that arrive in pieces."""

    def begin(self, note: Note, promised: int = 0) -> AnyUpload:
        """Begin an upload, which the caller holds until it closes it; raises Unavailable or DiskFull."""

    def open(self, identifier: UUID) -> AnyUpload:
        """Return an upload, which the caller holds until it closes it; raises NotFound, Gone or Locked."""

    def look(self, identifier: UUID) -> Progress:
        """Return an upload's progress, even while another request writes to it; raises NotFound or Gone."""

    def unfinished(self) -> Unfinished:
        """Return the unfinished uploads, by a recent count."""

    def sweep(self) -> int:
        """Remove expired uploads and what complete ones left; return how many were removed."""
