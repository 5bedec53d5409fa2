"""Evaluates the conditions and ranges of a request for bytes (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """A range of bytes: the first one, and their number."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the range as a ``Content-Range`` of a content of ``size`` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class Unsatisfiable(Enum):
    """The result for a range that begins behind the end."""

    RANGE = auto()


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Return whether the client has the content of ``etag`` (by the weak comparison of section 8.8.3.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(tag.removeprefix("W/") == etag for tag in _TAG.findall(if_none_match))


def span_of(range_header: str | None, if_range: str | None, etag: str, size: int) -> Span | Unsatisfiable | None:
    """Return the requested bytes; None for all of them.

    Several ranges, an invalid range, and an ``If-Range`` with a date or another content's tag also mean all bytes.
    """
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _RANGE.fullmatch(range_header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return Span(size - length, length) if length else Unsatisfiable.RANGE
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    return Span(start, end - start + 1) if start < size else Unsatisfiable.RANGE
