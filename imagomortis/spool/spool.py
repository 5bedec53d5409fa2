"""Keeps the spool: the uploader's folder, which stores accepted pictures durably until they are in the catalog.

::

    <spool>/
        incoming/<uuid>/    being written; leftovers of a crash are swept
        ready/<uuid>/       `original` and `meta.json`, complete and synced; visible by one rename
        inbox/              people and rsync drop files here
        rejected/           refused files, each with a `.reason.txt` beside it
        tus/                uploads that arrive in pieces; see `resumable`

An entry in ``ready/`` is the promise that a picture was accepted. It is removed only after the catalog committed it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from imagomortis.errors import ConfigurationError, ImagoMortisError
from imagomortis.logs import Log
from imagomortis.spool.drafts import ORIGINAL, Draft, Drafts, storage_error
from imagomortis.spool.upload import Upload, clean_filename
from imagomortis.storage.storage import LARGE, InBucket

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

log = Log(__name__)

MOST_COUNTED: Final = 10_000
"""The largest number of entries that are counted. It is also the count reported if there are more."""

Content = bytes | Path | InBucket
"""The bytes of an entry, its file, or their place in the bucket that is to hold them."""

META: Final = "meta.json"

OTHER_BYTES: Final = "Its bytes are not the ones that were accepted: their SHA-256 differs."


class ForeignEntry(ImagoMortisError):
    """Something in ``ready/`` that no uploader put there."""

    slug = "foreign-entry"
    title = "The spool holds something foreign"


@dataclass(frozen=True)
class Entry:
    """A complete entry: an upload and the folder of its bytes."""

    upload: Upload
    folder: Path

    @classmethod
    def of(cls, folder: Path, meta: bytes) -> Entry:
        """Return the entry of a folder with this ``meta.json``; raise ForeignEntry if an uploader did not write it."""
        try:
            identifier = UUID(folder.name)
            upload = Upload.model_validate_json(meta)
        except ValueError as error:
            raise _not_an_entry(error) from error
        if upload.id != identifier:
            raise ForeignEntry(f"Its folder says {identifier}, its meta.json {upload.id}.")
        return cls(upload, folder)

    @property
    def original(self) -> Path:
        """The file with the picture's bytes."""
        return self.folder / ORIGINAL


class Spool(Drafts):
    """The folder that uploaders fill and pushers empty; any number of both, on any number of hosts."""

    def __init__(self, folder: Path, reserve_bytes: int = 0) -> None:
        """Take the folder, and how many bytes to leave free on its disk."""
        super().__init__(folder, reserve_bytes)
        self.ready = folder / "ready"
        self.inbox = folder / "inbox"
        self.rejected = folder / "rejected"
        self.tus = folder / "tus"

    def prepare(self) -> None:
        """Create the folders; raises ConfigurationError if that is not possible."""
        try:
            for folder in (self.incoming, self.ready, self.inbox, self.rejected, self.tus):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The spool {self.folder} cannot be used ({error.strerror}). Make it a folder that this user may "
                "write, or name another one, for example IMAGOMORTIS_SPOOL=/var/lib/imagomortis/spool."
            ) from error

    def store(self, draft: Draft, upload: Upload) -> None:
        """Turn a draft into an entry; on return it is durable, and visible to the pusher.

        Files and folders are synced before and after the one rename. An existing entry with the same id is left
        unchanged. Raises DiskFull or Unavailable, and ForeignEntry if the existing folder is not an entry.
        """
        try:
            meta = draft.folder / META
            meta.write_text(upload.model_dump_json(), encoding="utf-8")
            sync(draft.original)
            sync(meta)
            sync(draft.folder)
            self._publish(draft)
            sync(self.ready)
        except OSError as error:
            raise storage_error(error) from error

    def _publish(self, draft: Draft) -> None:
        try:
            draft.folder.rename(self.ready / str(draft.id))
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise
            with suppress(FileNotFoundError):  # the pusher has just removed it
                self.read(self.ready / str(draft.id))
            log.info("already stored", image=draft.id)

    def scan(self, limit: int) -> list[Path]:
        """Return up to ``limit`` entries or foreign files in ``ready/``, in no particular order."""
        found: list[Path] = []
        with os.scandir(self.ready) as entries:
            for entry in entries:
                found.append(Path(entry.path))
                if len(found) >= limit:
                    break
        return found

    def count(self) -> int:
        """Return the number of entries or foreign files in ``ready/``, up to MOST_COUNTED; raises OSError."""
        return len(self.scan(MOST_COUNTED))

    def read(self, folder: Path) -> Entry:
        """Return the entry in ``folder``.

        Raises ForeignEntry if it is not an entry, and FileNotFoundError if another pusher has just removed it.
        """
        try:
            with _readable():
                meta, size = (folder / META).read_bytes(), (folder / ORIGINAL).stat().st_size
            entry = Entry.of(folder, meta)
        except (NotADirectoryError, IsADirectoryError) as error:
            raise _not_an_entry(error) from error
        except FileNotFoundError as error:
            if not folder.exists():
                raise
            raise ForeignEntry(f"It is incomplete: {Path(str(error.filename)).name} is missing.") from error
        if size != entry.upload.size:
            raise ForeignEntry(f"It holds {size} bytes where {entry.upload.size} were accepted.")
        return entry

    def read_all(self, folders: Sequence[Path]) -> Iterator[tuple[Path, Entry | ForeignEntry]]:
        """Yield each folder with its entry, or with the reason why it is none; leave out those that are gone."""
        for folder in folders:
            with suppress(FileNotFoundError):  # another pusher was quicker
                try:
                    yield folder, self.read(folder)
                except ForeignEntry as error:
                    yield folder, error

    def read_bytes(self, entry: Entry) -> bytes:
        """Return the bytes of an entry.

        Raises ForeignEntry if they differ from the accepted ones, and FileNotFoundError as ``read`` does.
        """
        with _readable():
            data = entry.original.read_bytes()
        if hashlib.sha256(data).digest() != entry.upload.sha256:
            raise ForeignEntry(OTHER_BYTES)
        return data

    def checked_file(self, entry: Entry) -> Path:
        """Return the file of an entry, after a comparison of its bytes, which are never in memory together.

        Raises what ``read_bytes`` raises.
        """
        with _readable(), entry.original.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if digest != entry.upload.sha256:
            raise ForeignEntry(OTHER_BYTES)
        return entry.original

    def contents(
        self, entries: Sequence[Entry], target: ObjectStore | None = None
    ) -> Iterator[tuple[Entry, Content | ForeignEntry]]:
        """Yield each entry with its bytes, or with its file if it is large and an object store gets it.

        If they differ from the accepted ones, the error is yielded instead. Entries that are gone are left out.
        """
        for entry in entries:
            read = self.checked_file if target and entry.upload.size > LARGE else self.read_bytes
            with suppress(FileNotFoundError):  # another pusher was quicker
                try:
                    yield entry, read(entry)
                except ForeignEntry as error:
                    yield entry, error

    def remove(self, *folders: Path) -> None:
        """Remove entries that the catalog holds. An entry that is already removed is no error."""
        for folder in folders:
            # one rename hides it as a whole, so that a crash during the removal leaves no incomplete entry
            discarded = self.incoming / f"{folder.name}.{uuid4().hex[:8]}"
            with suppress(FileNotFoundError):
                folder.rename(discarded)
                shutil.rmtree(discarded, ignore_errors=True)

    def reject(self, thing: Path, reason: str, folder: int | None = None) -> Path | None:
        """Move a file or folder to ``rejected/``, and write its reason beside it; None if it is already gone.

        ``folder`` is a descriptor of the folder that contains it, for a path that others can change meanwhile.
        """
        # the end of a long name, which has the suffix; the rest of the name's length is for additions
        name = os.fsdecode(os.fsencode(thing.name)[-200:])
        target = self.rejected / name
        if os.path.lexists(target) or os.path.lexists(_reason_of(target)):
            target = self.rejected / f"{uuid4().hex[:8]}-{name}"
        try:
            _move(thing, target, folder)
        except FileNotFoundError:
            return None
        with _reason_of(target).open("x", encoding="utf-8") as file:  # never through a link, never over a file
            file.write(f"{reason}\n")
        log.warning("rejected", entry=clean_filename(thing.name), error=reason)
        return target


def _not_an_entry(error: Exception) -> ForeignEntry:
    return ForeignEntry(f"It is no entry of an uploader ({type(error).__name__}: {error}).")


def _reason_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.reason.txt")


def _move(thing: Path, target: Path, folder: int | None) -> None:
    """Move a file or folder; from another disk, as an inbox can be, only a file or a link."""
    source = thing if folder is None else Path(thing.name)
    try:
        os.rename(source, target, src_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry(source, target, folder)


def _carry(source: Path, target: Path, folder: int | None) -> None:
    """Copy a file or a link from another disk, then remove it there."""
    if stat.S_ISLNK(os.stat(source, dir_fd=folder, follow_symlinks=False).st_mode):
        target.symlink_to(os.readlink(source, dir_fd=folder))
    else:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as data, target.open("xb") as copy:
            shutil.copyfileobj(data, copy)
    os.unlink(source, dir_fd=folder)


@contextmanager
def _readable() -> Iterator[None]:
    """Distinguish entries that can never be read from disk errors that can pass."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno != errno.ELOOP:
            raise
        reason = f"It cannot be read ({error.strerror}): an uploader's entries are plain files of one user."
        raise ForeignEntry(reason) from error


def sync(path: Path) -> None:
    """Wait until a file's or folder's changes are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
