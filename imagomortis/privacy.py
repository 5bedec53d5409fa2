"""Makes the files that a process writes readable by its own user only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_UMASK: Final = 0o077


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
