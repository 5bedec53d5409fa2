"""Describes the layout of a picture file: its size, its orientation and where its own bytes end."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Any

from imagomortis.errors import BrokenPicture

Buffer = bytes | mmap.mmap
"""A whole file, in memory or mapped into memory."""


@dataclass(frozen=True)
class Structure:
    """A picture file's layout; ``width`` and ``height`` in pixels as stored, before the orientation is applied.

    ``end`` is the offset after the picture's own last byte; ``orientation`` is one of EXIF's eight (1: upright).
    """

    width: int
    height: int
    end: int
    orientation: int = 1
    frames: int = 1


def cut_off(where: str) -> BrokenPicture:
    """Return the error for a file that ends too early; ``where`` says at what place."""
    return BrokenPicture(f"The picture is cut off: {where}. Copy or download the original again and upload that.")


def too_little(width: int, height: int) -> BrokenPicture:
    """Return the error for a file that claims more pixels than it holds."""
    return BrokenPicture(
        f"The picture claims {width} x {height} pixels, but holds too little data for them. "
        "Copy or download the original again and upload that."
    )


def unpack(layout: str, data: Buffer, offset: int, where: str) -> tuple[Any, ...]:
    """Unpack numbers at ``offset``; raise BrokenPicture if the file ends before them."""
    if not 0 <= offset <= len(data) - struct.calcsize(layout):
        raise cut_off(f"it ends in {where}")
    return struct.unpack_from(layout, data, offset)
