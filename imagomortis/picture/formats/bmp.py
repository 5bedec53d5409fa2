"""Reads the structure of BMP files: a header that says where the rows of pixels are.

Source: Microsoft's documentation of BITMAPFILEHEADER and BITMAPINFOHEADER.
"""

from __future__ import annotations

from imagomortis.errors import BrokenPicture
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, unpack

_CORE = 12
_PLAIN = {0, 3, 6}  # compressions whose rows are of equal length


def parse(data: Buffer) -> Structure:
    """Read the header and compute where the pixels end."""
    size, offset, header = unpack("<I4xII", data, 2, "its header")
    if header == _CORE:
        width, height, bits = unpack("<HH2xH", data, 18, "its header")
        compression = length = 0
    else:
        width, height, bits, compression, length = unpack("<ii2xHII", data, 18, "its header")
    width, height = abs(width), abs(height)
    if compression in _PLAIN:
        length = (width * bits + 31) // 32 * 4 * height
    end = offset + length if length else min(size, len(data))
    if end > len(data):
        raise cut_off(f"its header promises {end} bytes, but it has {len(data)}")
    if end <= offset:
        raise BrokenPicture("The BMP file holds no pixels.")
    return Structure(width, height, end)
