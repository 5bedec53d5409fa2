"""Reads the structure of JPEG files: marker segments and compressed data, up to the end marker.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from imagomortis.errors import BrokenPicture, UnsupportedPicture
from imagomortis.picture.formats import tiff
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, too_little, unpack

# A marker, other than a stuffed zero or a restart marker inside compressed data. Fill bytes before it are not matched
# by `\xff+`, because a long run of them would be searched again from each of its bytes.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, 0xC2
_APP1, _START_OF_SCAN, _END, _WITHOUT_LENGTH = 0xE1, 0xDA, 0xD9, {0x01, 0xD8}


def parse(data: Buffer, start: int = 0) -> Structure:
    """Walk one image from ``start`` to its end marker, and check that its scans are long enough for its size."""
    frame: _Frame | None = None
    orientation, scans, position = 1, 0, start + 2
    while (marker := _next(data, position))[0] != _END:
        code, position = marker
        if code in _WITHOUT_LENGTH:
            continue
        body = _segment(data, position)
        position += 2 + len(body)
        if code in _FRAMES and frame is None:
            frame = _frame(code, body)
        elif code == _APP1 and orientation == 1 and body.startswith(b"Exif\0\0"):
            orientation = tiff.orientation(body)
        elif code == _START_OF_SCAN and frame:
            scans += 1
            position = _scan(data, position, body, frame)
    if frame is None or scans == 0:
        raise BrokenPicture("The JPEG file holds no picture: it ends before its first pixel.")
    return Structure(frame.width, frame.height, end=marker[1], orientation=orientation)


def is_sequential(data: Buffer) -> bool:
    """Return whether a JPEG is sequential: its pixels come in one pass from top to bottom, not progressively."""
    position = 2
    while (marker := _next(data, position))[0] != _START_OF_SCAN:
        code, position = marker
        if code not in _WITHOUT_LENGTH:
            position += 2 + len(_segment(data, position))
        if code in _FRAMES:
            return code in _SEQUENTIAL
    return False


@dataclass(frozen=True)
class _Frame:
    sequential: bool
    width: int
    height: int
    blocks: dict[int, int]  # 8 x 8 levels each, by component


def _next(data: Buffer, position: int) -> tuple[int, int]:
    match = _MARKER.search(data, position)
    if match is None:
        raise cut_off("the marker that ends a JPEG is missing")
    return match[1][0], match.end()


def _segment(data: Buffer, position: int) -> bytes:
    (length,) = unpack(">H", data, position, "a segment of its header")
    if length < 2 or position + length > len(data):
        raise cut_off("it ends in a segment of its header")
    return data[position + 2 : position + length]


def _frame(code: int, body: bytes) -> _Frame:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise cut_off("it ends in the JPEG's frame header")
    precision, height, width = struct.unpack(">BHH", body[:5])
    if code not in _SEQUENTIAL | {_PROGRESSIVE} or precision != 8:
        raise UnsupportedPicture(
            f"This JPEG is of a rare kind (process {code - 0xC0}, {precision} bits a colour) that is not supported. "
            "Save it again as an ordinary JPEG or PNG."
        )
    parts = [(body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * body[5], 3)]
    most_across, most_down = (max((part[side] for part in parts), default=1) or 1 for side in (1, 2))
    blocks = {
        part: -(-width * across // (8 * most_across)) * -(-height * down // (8 * most_down))
        for part, across, down in parts
    }
    return _Frame(code in _SEQUENTIAL, width, height, blocks)


def _scan(data: Buffer, position: int, body: bytes, frame: _Frame) -> int:
    """Return where a scan ends; raise BrokenPicture if it is too short for the claimed size.

    Each block takes at least one bit for its mean level, and in a sequential scan one more for the rest.
    """
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        raise cut_off("it ends in the header of a scan")
    match = _MARKER.search(data, position)
    end = match.start() if match else len(data)
    has_means = body[1 + 2 * count] == 0
    blocks = sum(frame.blocks.get(body[1 + 2 * part], 0) for part in range(count)) if has_means else 0
    if (end - position) * 8 < blocks * (2 if frame.sequential else 1):
        raise too_little(frame.width, frame.height)
    return end
