"""Reads the structure of GIF files: blocks from the header to the trailer.

Source: the GIF 89a specification, appendix B.
"""

from __future__ import annotations

from imagomortis.errors import BrokenPicture
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, unpack

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B


def parse(data: Buffer) -> Structure:
    """Walk all blocks. The size is the canvas's, enlarged if the first frame reaches beyond it."""
    width, height, flags = unpack("<HHB", data, 6, "its header")
    position = 13 + _colours(flags)
    frames = 0
    while (kind := unpack("B", data, position, "the middle: the trailer is missing")[0]) != _TRAILER:
        if kind == _EXTENSION:
            position = _skip(data, position + 2)
        elif kind == _IMAGE:
            left, top, across, down, flags = unpack("<HHHHB", data, position + 1, "the header of a frame")
            if frames == 0:
                width, height = max(width, left + across), max(height, top + down)
            frames += 1
            position = _skip(data, position + 11 + _colours(flags))
        else:
            raise BrokenPicture("The GIF file is damaged: there is something between its blocks.")
    if frames == 0:
        raise BrokenPicture("The GIF file holds no picture: it ends before its first frame.")
    return Structure(width, height, position + 1, frames=frames)


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(data: Buffer, position: int) -> int:
    """Return the offset after a chain of sub-blocks."""
    try:
        while length := data[position]:
            position += length + 1
    except IndexError:
        raise cut_off("it ends in a block") from None
    return position + 1
