"""Reads which characters a font has, from its file (OpenType 1.9, table `cmap`)."""

from __future__ import annotations

import struct
from itertools import pairwise

_TABLES = 12
_TABLE = struct.Struct(">4sIII")
_SUBTABLE = struct.Struct(">HHI")
_GROUP = struct.Struct(">III")
_FULL = 12
"""The format of a subtable with all of Unicode."""
_GROUPS = 16


def ranges(font: bytes) -> str:
    """Return the characters of a font as ranges of hexadecimal numbers: ``20-7e a0-17f``.

    Raises ValueError if the font has no table of all Unicode characters.
    """
    cmap = _table(font, b"cmap")
    for index in range(_number(font, cmap + 2)):
        _, _, offset = _SUBTABLE.unpack_from(font, cmap + 4 + index * _SUBTABLE.size)
        if _number(font, cmap + offset) == _FULL:
            return " ".join(f"{first:x}-{last:x}" for first, last in _merged(_groups(font, cmap + offset)))
    raise ValueError("the font has no table of all Unicode characters")


def _table(font: bytes, name: bytes) -> int:
    for index in range(_number(font, 4)):
        tag, _, offset, _ = _TABLE.unpack_from(font, _TABLES + index * _TABLE.size)
        if tag == name:
            return int(offset)
    raise ValueError(f"the font has no table {name!r}")


def _number(font: bytes, at: int) -> int:
    return int.from_bytes(font[at : at + 2])


def _groups(font: bytes, at: int) -> list[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", font, at + _GROUPS - 4)
    groups = (_GROUP.unpack_from(font, at + _GROUPS + index * _GROUP.size) for index in range(count))
    return [(first, last) for first, last, _ in groups]


def _merged(groups: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join groups that follow each other without a gap."""
    begins = [
        0,
        *(index for index, (one, other) in enumerate(pairwise(groups), 1) if other[0] > one[1] + 1),
        len(groups),
    ]
    return [(groups[begin][0], groups[end - 1][1]) for begin, end in pairwise(begins)]
