"""Reads the structure of AVIF and HEIC files: boxes within boxes.

Source: ISO/IEC 14496-12 (boxes) and 23008-12 (the properties of a still picture).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imagomortis.errors import BrokenPicture
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, unpack

_OWN = {b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"idat", b"uuid", b"mpvd", b"sefd", b"wide", b"moof"}
# EXIF orientations for a rotation by 0 to 3 quarter turns anticlockwise, and for a mirroring after it
_TURNS = (1, 8, 3, 6)
_MIRRORED = {1: 2, 8: 7, 3: 4, 6: 5}
_UPENDED = {1: 4, 8: 5, 3: 2, 6: 7}


def brands(data: Buffer) -> set[bytes]:
    """Return the brands that the file claims to comply with; none if it does not begin with them."""
    if len(data) < 16 or data[4:8] != b"ftyp":
        return set()
    (size,) = unpack(">I", data, 0, "its header")
    listed = data[16 : min(size, 4096)]
    return {data[8:12], *(listed[at : at + 4] for at in range(0, len(listed) - 3, 4))}


def parse(data: Buffer) -> Structure:
    """Walk the boxes. The end is after the last box of the picture itself."""
    end, meta = _own(data)
    width, height, orientation = _describe(data, _properties(data, meta))
    return Structure(width, height, end, orientation)


def colour_codes(data: Buffer) -> tuple[int, int] | None:
    """Return the H.273 codes of the main picture's primaries and transfer curve; None if there are none.

    Also returns None if there is a profile, which is more exact. The decoders handle the matrix and the range.
    """
    _, meta = _own(data)
    boxes = [box for box in _properties(data, meta) if box.kind == b"colr" and box.end - box.start >= 8]
    kinds = {data[box.start : box.start + 4]: box for box in boxes}
    if b"nclx" not in kinds or kinds.keys() & {b"prof", b"rICC"}:
        return None
    primaries, transfer = unpack(">HH", data, kinds[b"nclx"].start + 4, "its colours")
    return primaries, transfer


def skip(data: Buffer, position: int) -> int:
    """Return the offset after all boxes that begin at ``position``; raise BrokenPicture if one is cut off."""
    for box in _top_level(data, position):
        position = box.end
    return position


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def _own(data: Buffer) -> tuple[int, _Box]:
    """Return where the picture's own boxes end, and the ``meta`` box that describes it."""
    end, meta = 0, None
    for box in _top_level(data):
        if box.kind == b"ftyp" and end:
            break  # a phone's video, behind the picture
        end = box.end
        meta = meta or (box if box.kind == b"meta" else None)
    if meta is None:
        raise BrokenPicture("The file does not say what picture it holds.")
    return end, meta


def _top_level(data: Buffer, position: int = 0) -> Iterator[_Box]:
    while (kind := data[position + 4 : position + 8]) in _OWN:
        box = _box(data, position, len(data))
        if box.end > len(data):
            raise cut_off(f"it ends in a box of kind {kind!r}")
        yield box
        position = box.end


def _box(data: Buffer, position: int, limit: int) -> _Box:
    size, kind = unpack(">I4s", data, position, "the header of a box")
    start = position + 8
    if size == 1:
        (size,) = unpack(">Q", data, start, "the header of a box")
        start += 8
    elif size == 0:
        size = limit - position
    if size < start - position:
        raise BrokenPicture(f"The file is damaged: a box of kind {kind!r} is smaller than its header.")
    return _Box(kind, start, position + size)


def _inside(data: Buffer, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        box = _box(data, start, end)
        if box.end > end:
            raise BrokenPicture(f"The file is damaged: a box of kind {box.kind!r} is larger than what it lies in.")
        yield box
        start = box.end


def _properties(data: Buffer, meta: _Box) -> list[_Box]:
    """Return the boxes that describe the main picture."""
    boxes = {box.kind: box for box in _inside(data, meta.start + 4, meta.end)}
    if b"pitm" not in boxes or b"iprp" not in boxes:
        raise BrokenPicture("The file does not say which of its pictures is the main one.")
    inner = list(_inside(data, boxes[b"iprp"].start, boxes[b"iprp"].end))
    properties = [box for part in inner if part.kind == b"ipco" for box in _inside(data, part.start, part.end)]
    item = _number(data, boxes[b"pitm"].start)
    return [
        properties[index - 1]
        for part in inner
        if part.kind == b"ipma"
        for index in _associated(data, part, item)
        if 0 < index <= len(properties)
    ]


def _number(data: Buffer, start: int) -> int:
    (version,) = unpack("B", data, start, "the number of its main picture")
    number: int = unpack(">I" if version else ">H", data, start + 4, "the number of its main picture")[0]
    return number


def _associated(data: Buffer, box: _Box, wanted: int) -> list[int]:
    """Return the one-based indices of an item's properties; a box lists each item once."""
    version, flags, entries = unpack(">B2xBI", data, box.start, "its properties")
    position, wide = box.start + 8, flags & 1
    for _ in range(entries):
        item, count = unpack(">IB" if version else ">HB", data, position, "its properties")
        position += 5 if version else 3
        end = position + (2 * count if wide else count)
        if end > box.end:
            raise BrokenPicture("The file is damaged: the list of its properties is longer than what it lies in.")
        if item == wanted:
            indices = unpack(f">{count}{'H' if wide else 'B'}", data, position, "its properties")
            return [index & (0x7FFF if wide else 0x7F) for index in indices]
        position = end
    return []


def _describe(data: Buffer, properties: list[_Box]) -> tuple[int, int, int]:
    width = height = 0
    orientation = 1
    for box in properties:
        if box.kind == b"ispe":
            width, height = unpack(">4xII", data, box.start, "its size")
        elif box.kind == b"clap":
            width, height = _aperture(data, box, width, height)
        elif box.kind == b"irot":
            orientation = _TURNS[unpack("B", data, box.start, "its rotation")[0] & 3]
        elif box.kind == b"imir":
            upended = unpack("B", data, box.start, "its mirroring")[0] & 1 == 0
            orientation = (_UPENDED if upended else _MIRRORED).get(orientation, orientation)
    return width, height, orientation


def _aperture(data: Buffer, box: _Box, width: int, height: int) -> tuple[int, int]:
    """Return the size of the visible part, which is stored as fractions."""
    across, across_by, down, down_by = unpack(">IIII", data, box.start, "its aperture")
    if not across_by or not down_by:
        raise BrokenPicture("The file is damaged: the part of the picture that it shows has no size.")
    return min(width, across // across_by), min(height, down // down_by)
