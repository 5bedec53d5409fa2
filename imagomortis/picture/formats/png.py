"""Reads the structure of PNG files: chunks from the header to ``IEND``.

Source: the W3C's PNG specification, third edition, chapter 5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from imagomortis.errors import BrokenPicture, UnsupportedPicture
from imagomortis.picture.formats import tiff
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, too_little, unpack

_PIECE = 1 << 18
_CHANNELS = {2: 3, 4: 2, 6: 4}
_COLOUR_CHUNKS = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"}
_LONGEST_COLOUR = 64
# each pass of an interlaced picture: first column and row, and the distances to the next ones
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def parse(data: Buffer) -> Structure:
    """Walk all chunks up to ``IEND``."""
    width, height = _header(data)
    orientation, frames, pixels, position = 1, 1, False, 8
    while True:
        length, kind = unpack(">I4s", data, position, "the header of a chunk")
        body, position = position + 8, position + 12 + length
        if position > len(data):
            raise cut_off(f"it ends in a chunk of kind {kind!r}")
        if kind == b"IEND":
            break
        pixels = pixels or kind == b"IDAT"
        if kind == b"eXIf":
            orientation = tiff.orientation(data[body : body + length])
        elif kind == b"acTL" and length >= 4:
            (frames,) = unpack(">I", data, body, "the animation's header")
    if not pixels:
        raise BrokenPicture("The PNG file holds no picture: it ends before its first pixel.")
    return Structure(width, height, position, orientation, max(frames, 1))


def colour_chunks(data: Buffer) -> dict[bytes, bytes]:
    """Return the first bytes of the chunks that define colours, by kind: a profile is only noted as present.

    These chunks come before the pixels, so the rest of the file is not read.
    """
    found, position = dict[bytes, bytes](), 8
    while position + 8 <= len(data):
        length, kind = unpack(">I4s", data, position, "the header of a chunk")
        if kind in {b"IDAT", b"IEND"}:
            break
        if kind in _COLOUR_CHUNKS:
            found.setdefault(kind, data[position + 8 : position + 8 + min(length, _LONGEST_COLOUR)])
        position += 12 + length
    return found


def check_pixels(data: Buffer) -> None:
    """Inflate the pixels once, keeping none, and raise BrokenPicture if there are fewer than the header claims.

    Decoders would fill missing pixels with black.
    """
    width, height = _header(data)
    depth, colour, interlaced = unpack(">BB2xB", data, 24, "its header")
    bits = depth * _CHANNELS.get(colour, 1)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for left, top, step, stride in passes:
        across, down = -(-(width - left) // step), -(-(height - top) // stride)
        if across > 0 and down > 0:
            expected += down * (1 + (across * bits + 7) // 8)
    if _inflated(data) < expected:
        raise too_little(width, height)


def _inflated(data: Buffer) -> int:
    """Return the number of bytes that the rows inflate to."""
    inflater, total = zlib.decompressobj(), 0
    try:
        for piece in _pixel_data(data):
            packed = piece
            while packed and not inflater.eof:
                total += len(inflater.decompress(packed, _PIECE))
                packed = inflater.unconsumed_tail
    except zlib.error as error:
        raise BrokenPicture(f"The PNG picture is damaged: its pixels cannot be unpacked ({error}).") from error
    return total + len(inflater.flush()) if not inflater.eof else total


def _pixel_data(data: Buffer) -> Iterator[bytes]:
    position = 8
    while position + 8 <= len(data):
        length, kind = unpack(">I4s", data, position, "the header of a chunk")
        if kind == b"IDAT":
            for start in range(position + 8, position + 8 + length, _PIECE):
                yield data[start : min(start + _PIECE, position + 8 + length)]
        elif kind == b"IEND":
            return
        position += 12 + length


def _header(data: Buffer) -> tuple[int, int]:
    length, kind, width, height = unpack(">I4sII", data, 8, "its header")
    if kind == b"CgBI":
        raise UnsupportedPicture("This PNG was changed for iPhone apps. Save it again as an ordinary PNG.")
    if kind != b"IHDR" or length != 13:
        raise BrokenPicture("The PNG file does not begin with a header.")
    return width, height
