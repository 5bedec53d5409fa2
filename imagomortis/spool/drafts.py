"""Keeps drafts: entries that an uploader is writing on its own disk."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from imagomortis.errors import DiskFull, ImagoMortisError, Unavailable

ORIGINAL: Final = "original"

RESERVE_FILES: Final = 1000
"""Files (inodes) that uploads leave free on the spool's disk."""


class SpoolAway(Unavailable):
    """A spool whose object store does not answer."""


@dataclass(frozen=True)
class Draft:
    """An entry that is being written: its id, its folder, and the file for the bytes."""

    id: UUID
    folder: Path

    @property
    def original(self) -> Path:
        """The file for the picture's bytes."""
        return self.folder / ORIGINAL


class Drafts:
    """The folder of drafts on the disk of an uploader."""

    def __init__(self, folder: Path, reserve_bytes: int = 0) -> None:
        """Take the folder, and how many bytes to leave free on its disk."""
        self.folder = folder
        self.incoming = folder / "incoming"
        self._reserve_bytes = reserve_bytes

    def free_bytes(self) -> int:
        """Return how many bytes are free on the disk."""
        return shutil.disk_usage(self.folder).free

    def check_space(self, wanted: int = 0) -> None:
        """Raise DiskFull if ``wanted`` more bytes would use the reserve, or if there is hardly room for more files."""
        disk = os.statvfs(self.folder)
        if disk.f_files and disk.f_favail < RESERVE_FILES:  # some file systems have no limit, and report 0
            raise DiskFull(
                f"The server's disk has room for {disk.f_favail:,} more files and keeps {RESERVE_FILES:,} in reserve. "
                "Remove some files from it, or wait until stored pictures were processed, then upload again."
            )
        free = disk.f_bavail * disk.f_frsize
        if free - wanted < self._reserve_bytes:
            raise DiskFull(
                f"The server's disk has {free // 2**20} MiB left and keeps {self._reserve_bytes // 2**20} MiB in "
                "reserve. Free some space on it, or wait until stored pictures were processed, then upload again."
            )

    def check_writable(self) -> None:
        """Raise Unavailable if nothing can be stored."""
        probe = self.incoming / f".probe-{uuid4()}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise storage_error(error) from error

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Lend a new entry to write to, and remove it at the end.

        Raises DiskFull or Unavailable, also for disk errors while the block writes.
        """
        draft = self.plan()
        try:
            self.begin(draft)
            yield draft
        except OSError as error:
            raise storage_error(error) from error
        finally:
            self.discard(draft)

    def plan(self) -> Draft:
        """Return a draft that has no files yet."""
        identifier = uuid4()
        return Draft(identifier, self.incoming / str(identifier))

    def begin(self, draft: Draft, wanted: int = 0) -> None:
        """Create the folder of a planned draft that will hold ``wanted`` bytes; raises DiskFull or Unavailable."""
        try:
            self.check_space(wanted)
            draft.folder.mkdir()
        except OSError as error:
            raise storage_error(error) from error

    def discard(self, draft: Draft) -> None:
        """Remove a draft's files from ``incoming/``; there are none if it was stored, or never begun."""
        shutil.rmtree(draft.folder, ignore_errors=True)

    def sweep(self, seconds: float) -> int:
        """Remove drafts that were not touched for ``seconds``; return how many were removed."""
        removed = 0
        for thing in self.incoming.iterdir():
            if last_touched(thing) < time.time() - seconds:
                if thing.is_dir():
                    shutil.rmtree(thing, ignore_errors=True)
                else:
                    thing.unlink(missing_ok=True)
                removed += 1
        return removed


def last_touched(thing: Path) -> float:
    """Return when a file, or anything in a folder, was last written; the current time if it is being removed."""
    try:
        parts = [thing, *thing.rglob("*")]
        return max(part.stat().st_mtime for part in parts)
    except FileNotFoundError:
        return time.time()


def storage_error(error: OSError) -> ImagoMortisError:
    """Return the error for a fault of the spool's disk: DiskFull or Unavailable."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull("The server's disk is full. Free some space on it, then upload again; nothing was stored.")
    return Unavailable(
        f"The spool cannot be written ({error.strerror}). Nothing was stored; an operator should look at the folder "
        "that IMAGOMORTIS_SPOOL names.",
        retry_after=30,
    )
