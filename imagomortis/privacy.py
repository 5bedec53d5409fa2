"""Keeps files readable by their own user only, and secrets out of the environment."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

_UMASK: Final = 0o077

_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_void_p


def keep() -> None:
    """Make files 0600 and folders 0700 from now on, in this process and its children."""
    os.umask(_UMASK)


@contextmanager
def kept() -> Iterator[None]:
    """Make files 0600 and folders 0700 in the block."""
    before = os.umask(_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def forget(names: Iterable[str]) -> None:
    """Remove variables from this process's environment, once it has read their secrets.

    Each value is also overwritten where the kernel shows it: ``/proc/<pid>/environ`` is the memory in which a process
    got its first environment.
    """
    for name in names:
        value = _libc.getenv(os.fsencode(name))
        os.environ.pop(name, None)
        if value:
            ctypes.memset(value, 0, len(ctypes.string_at(value)))
