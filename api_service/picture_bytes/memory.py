"""How the process keeps memory: what a picture's bytes leave is kept for the next one."""

from __future__ import annotations

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
"""Parameters of ``mallopt``, as malloc.h of the GNU C library numbers them."""

KEPT: Final = 32 * 1024 * 1024
"""Bytes up to which free memory is not given back, at the end of each of the allocator's heaps."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes up to which a block comes from that memory: more than a picture that is answered in one piece has."""


def keep_freed() -> bool:
    """Let the C library keep what is freed; False where it has no such setting.

    By default blocks of a picture's size may be mapped for each answer and given back behind it, as it happens, and the
    kernel clears every page of them again: up to a quarter of the time that a picture of 12 megapixels takes.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return all([set_option(M_MMAP_THRESHOLD, LARGEST), set_option(M_TRIM_THRESHOLD, KEPT)])
