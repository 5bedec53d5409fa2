"""Configures the C library to reuse the memory of one picture's bytes for the next."""

from __future__ import annotations

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
"""Parameters of ``mallopt``, as the GNU C library's malloc.h numbers them."""

KEPT: Final = 32 * 1024 * 1024
"""Bytes of free memory that each heap of the allocator keeps at its end."""

LARGEST: Final = 16 * 1024 * 1024
"""Largest block, in bytes, that is taken from a heap: more than any picture that is answered in one piece."""


def keep_freed() -> bool:
    """Let the C library keep freed memory; return False if it has no such setting.

    By default, the allocator can map a block of a picture's size for each answer, and unmap it afterwards. The kernel
    then clears all its pages again, which takes up to a quarter of the time for a picture of 12 megapixels.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return all([set_option(M_MMAP_THRESHOLD, LARGEST), set_option(M_TRIM_THRESHOLD, KEPT)])
