"""Reads the structure of WebP files: a RIFF container of chunks.

Source: the WebP container specification and RFC 9649.
"""

from __future__ import annotations

from imagomortis.errors import BrokenPicture
from imagomortis.picture.formats import tiff
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, unpack


def parse(data: Buffer) -> Structure:
    """Walk the chunks. The end is where the RIFF header says."""
    (size,) = unpack("<I", data, 4, "its header")
    end = 8 + size + size % 2
    if 8 + size > len(data):
        raise cut_off(f"its header promises {8 + size} bytes, but it has {len(data)}")
    canvas: tuple[int, int] | None = None
    still: tuple[int, int] | None = None
    orientation, frames, position = 1, 0, 12
    while position + 8 <= 8 + size:
        kind, length = unpack("<4sI", data, position, "the header of a chunk")
        body, position = position + 8, position + 8 + length + length % 2
        if body + length > 8 + size:
            raise cut_off(f"it ends in a chunk of kind {kind!r}")
        if kind == b"VP8X":
            canvas = _canvas(data, body)
        elif kind in {b"VP8 ", b"VP8L"}:
            still = still or (_lossy if kind == b"VP8 " else _lossless)(data, body)
        elif kind == b"EXIF":
            orientation = tiff.orientation(data[body : body + length])
        frames += kind == b"ANMF"
    if canvas and still and canvas != still:
        raise BrokenPicture(f"The WebP file contradicts itself: it claims {canvas}, its picture has {still} pixels.")
    if not (still or (canvas and frames)):
        raise BrokenPicture("The WebP file holds no picture.")
    return Structure(*(canvas or still or (0, 0)), min(end, len(data)), orientation, max(frames, 1))


def _canvas(data: Buffer, body: int) -> tuple[int, int]:
    low_width, high_width, low_height, high_height = unpack("<4xHBHB", data, body, "its header")
    return low_width + (high_width << 16) + 1, low_height + (high_height << 16) + 1


def _lossy(data: Buffer, body: int) -> tuple[int, int]:
    signature, width, height = unpack("<3x3sHH", data, body, "the header of its picture")
    if signature != b"\x9d\x01\x2a":
        raise BrokenPicture("The WebP file is damaged: its picture does not begin like one.")
    return width & 0x3FFF, height & 0x3FFF


def _lossless(data: Buffer, body: int) -> tuple[int, int]:
    signature, bits = unpack("<BI", data, body, "the header of its picture")
    if signature != 0x2F:
        raise BrokenPicture("The WebP file is damaged: its picture does not begin like one.")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
