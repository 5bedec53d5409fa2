"""Reads the structure of TIFF files, and of EXIF blocks inside other pictures, which are small TIFF files.

Source: TIFF 6.0 (Adobe, 1992), and BigTIFF's 64-bit offsets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from imagomortis.errors import BrokenPicture, UnsupportedPicture
from imagomortis.picture.formats.structure import Buffer, Structure, cut_off, too_little, unpack

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _ORIENTATION, _DNG_VERSION = 256, 257, 274, 50706
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 258, 259, 262, 277
_UNCOMPRESSED, _YCBCR = 1, 6
_DATA_OFFSETS = {273: 279, 324: 325}  # tags of the offsets of strips and of tiles, and of their lengths
_DIRECTORIES = (330, 34665, 34853)
_FIRST_PRIVATE = 0x8000
_MOST_VALUES = 1 << 22
# A walk can read this many times the file's bytes, because directories and lists should not overlap.
_READINGS, _SPARE_BYTES = 2, 4096
# the least that a directory costs, however short it is
_LEAST_BYTES = 64


def parse(data: Buffer) -> Structure:
    """Walk all directories. The end is after the last byte that any of them points to."""
    walk = _Walk(data)
    tags = walk.first
    if _DNG_VERSION in tags or data[8:10] == b"CR":
        raise UnsupportedPicture(
            "This is a camera's raw file. Develop it first: export it from your photo program as JPEG or TIFF."
        )
    try:
        width, height = walk.numbers(tags[_WIDTH])[0], walk.numbers(tags[_HEIGHT])[0]
    except (KeyError, IndexError):
        raise BrokenPicture("The TIFF file does not say how wide and high its picture is.") from None
    if walk.data_end > len(data):
        raise cut_off(f"its pixels should reach to byte {walk.data_end}, but it has {len(data)} bytes")
    if walk.plain_bits(width, height) > 8 * walk.data_length:
        raise too_little(width, height)
    end = min(max(walk.end, walk.data_end), len(data))
    return Structure(width, height, end, walk.orientation, walk.pages)


def orientation(block: bytes) -> int:
    """Return the orientation in an EXIF block; 1 if it has none, or makes no sense."""
    block = block.removeprefix(b"Exif\0\0")
    try:
        return _Walk(block, follow=False).orientation
    except BrokenPicture:
        return 1


class _Entry(NamedTuple):
    type: int
    number: int
    offset: int


@dataclass
class _Walk:
    data: Buffer
    follow: bool = True
    first: dict[int, _Entry] = field(default_factory=dict)
    pages: int = 0
    end: int = 8
    data_end: int = 0

    def __post_init__(self) -> None:
        magic = bytes(self.data[:4])
        self.order = {b"II": "<", b"MM": ">"}.get(magic[:2], "")
        self.big = bool(self.order) and magic[2:] == struct.pack(self.order + "H", 43)
        if not self.order or not (self.big or magic[2:] == struct.pack(self.order + "H", 42)):
            raise BrokenPicture("The TIFF file does not begin like one.")
        self.left = _READINGS * len(self.data) + _SPARE_BYTES
        offset = self._read("Q", 8) if self.big else self._read("I", 4)
        seen = set[int]()
        while offset and offset not in seen:
            seen.add(offset)
            offset, tags = self._directory(offset)
            if self.pages == 0:
                self.first = tags
            if not self.follow:
                return
            self.pages += 1
            self._extend(tags)

    def _directory(self, offset: int) -> tuple[int, dict[int, _Entry]]:
        count, start = (self._read("Q", offset), offset + 8) if self.big else (self._read("H", offset), offset + 2)
        step, inline = (20, 8) if self.big else (12, 4)
        end = start + count * step
        if end > len(self.data):
            raise cut_off("it ends in a directory")
        self._spend(max(end - offset, _LEAST_BYTES))
        tags: dict[int, _Entry] = {}
        entries = struct.iter_unpack(self.order + ("HHQQ" if self.big else "HHII"), self.data[start:end])
        for position, (tag, kind, number, value) in zip(range(start, end, step), entries, strict=True):
            is_inline = _SIZES.get(kind, 0) * number <= inline
            if tag not in tags:
                tags[tag] = _Entry(kind, number, position + step - inline if is_inline else value)
        self.end = max(self.end, end + inline)
        # EXIF blocks often end here, without the next offset
        following = self._read("Q" if self.big else "I", end) if self.follow else 0
        return following, tags

    def _extend(self, tags: dict[int, _Entry]) -> None:
        for tag, entry in tags.items():
            end = entry.offset + _SIZES.get(entry.type, 0) * entry.number
            if end <= len(self.data):
                self.end = max(self.end, end)
            elif tag < _FIRST_PRIVATE:
                raise cut_off(
                    f"what it should say of its picture lies at byte {end}, but it has {len(self.data)} bytes"
                )
        for offsets, lengths in _DATA_OFFSETS.items():
            if offsets in tags and lengths in tags:
                pairs = zip(self.numbers(tags[offsets]), self.numbers(tags[lengths]), strict=False)
                self.data_end = max([self.data_end, *(offset + length for offset, length in pairs)])
        for tag in _DIRECTORIES:
            for offset in set(self.numbers(tags[tag])) if tag in tags else ():
                self._include(offset)

    def _include(self, offset: int) -> None:
        """Extend the file's end by a nested directory; nothing else in it matters."""
        try:
            _, tags = self._directory(offset)
        except BrokenPicture:
            if self.left < 0:
                raise
            self._spend(_LEAST_BYTES)
            return
        for entry in tags.values():
            end = entry.offset + _SIZES.get(entry.type, 0) * entry.number
            if end <= len(self.data):
                self.end = max(self.end, end)

    def numbers(self, entry: _Entry) -> tuple[int, ...]:
        """Return an entry's integers; empty if it holds something else or points outside."""
        letter = _NUMBERS.get(entry.type)
        count = min(entry.number, _MOST_VALUES)
        end = entry.offset + _SIZES.get(entry.type, 0) * count
        if letter is None or end > len(self.data):
            return ()
        self._spend(end - entry.offset)
        return struct.unpack(f"{self.order}{count}{letter}", self.data[entry.offset : end])

    def value(self, tag: int, default: int) -> int:
        """Return the first number of an entry in the first directory."""
        return next(iter(self.numbers(self.first[tag]) if tag in self.first else ()), default)

    def plain_bits(self, width: int, height: int) -> int:
        """Return the least number of bits that the pixels take; 0 if they are compressed, or share colour samples."""
        if self.value(_COMPRESSION, 1) != _UNCOMPRESSED or self.value(_PHOTOMETRIC, 0) == _YCBCR:
            return 0
        return width * height * self.value(_BITS, 1) * self.value(_SAMPLES, 1)

    @property
    def data_length(self) -> int:
        """Bytes of pixels that the first directory points to."""
        lengths = (self.first[tag] for tag in _DATA_OFFSETS.values() if tag in self.first)
        return sum(sum(self.numbers(entry)) for entry in lengths)

    @property
    def orientation(self) -> int:
        """The orientation in the first directory; 1 if there is none that makes sense."""
        entry = self.first.get(_ORIENTATION)
        values = self.numbers(entry) if entry else ()
        return values[0] if values and 1 <= values[0] <= 8 else 1

    def _spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise BrokenPicture("The TIFF file is damaged: what it says of its picture overlaps itself.")

    def _read(self, letter: str, offset: int) -> int:
        number: int = unpack(self.order + letter, self.data, offset, "a directory")[0]
        return number
