"""Writes files completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from imagomortis.errors import Conflict, ImagoMortisError
from imagomortis.spool.spool import sync


class NotWritten(ImagoMortisError):
    """A file that cannot be written."""

    slug = "not-written"
    title = "The file cannot be written"


@contextmanager
def written(target: Path, *, overwrite: bool, lasting: bool = False) -> Iterator[IO[bytes]]:
    """Lend a file that gets its name when the block ends, and never if the block raises.

    A ``lasting`` file is private to its owner, and survives a power failure after the block. Raises Conflict if the
    name is taken, and NotWritten for disk errors, also in the block.
    """
    check_free(target, overwrite=overwrite)
    aside = target.with_name(f".{shortened(target.name, 100)}.{uuid4().hex[:8]}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600 if lasting else 0o666)
        with os.fdopen(descriptor, "w+b") as file:
            try:
                yield file
                _finish(file, aside, target, overwrite=overwrite, lasting=lasting)
            finally:
                aside.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(target, error) from error


def shortened(name: str, count: int) -> str:
    """Return the beginning of a name: whole characters, at most ``count`` bytes, as file systems count."""
    return os.fsencode(name)[:count].decode(errors="ignore")


def check_free(target: Path, *, overwrite: bool) -> None:
    """Raise Conflict if the name must be free but is not, or is not a file's; NotWritten if that cannot be checked."""
    try:
        is_there, is_file = target.exists(), target.is_file()
    except OSError as error:
        raise _not_written(target, error) from error
    if is_there and not is_file:
        raise Conflict(f"{target} is there already, and is no file that could be replaced. Name another place.")
    if is_there and not overwrite:
        raise Conflict(f"{target} is there already; --force replaces it.")


def _not_written(target: Path, error: OSError) -> NotWritten:
    return NotWritten(f"{target} cannot be written ({error.strerror}). Name another place, or make room.")


def _finish(file: IO[bytes], aside: Path, target: Path, *, overwrite: bool, lasting: bool) -> None:
    file.flush()
    if lasting:
        os.fsync(file.fileno())
    check_free(target, overwrite=overwrite)
    aside.replace(target)
    if lasting:
        sync(target.parent)
