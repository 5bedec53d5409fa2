"""Chooses the file names under which clients save pictures."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

SUFFIXES: Final = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/gif": ("gif",),
    "image/bmp": ("bmp",),
    "image/tiff": ("tif", "tiff"),
    "image/heic": ("heic", "heif"),
}
"""The suffixes of file names by media type, the usual one first."""

_NOT_PLAIN: Final = re.compile(r'[^ -~]|["\\%]')


def name_for(filename: str, kind: str, media_type: str) -> str:
    """Return a picture's file name: the original's, with the suffix of its own media type."""
    suffixes = SUFFIXES.get(media_type, ())
    stem, dot, suffix = filename.rpartition(".")
    if kind == "original" or not suffixes:
        return filename
    stem = stem if dot and stem else filename
    if kind != "processed":
        stem += f"-{kind}"
    return f"{stem}.{suffix}" if suffix.lower() in suffixes else f"{stem}.{suffixes[0]}"


def content_disposition(filename: str, *, attachment: bool) -> str:
    """Return the header that suggests a file name, in plain ASCII and in full (RFC 6266, RFC 8187)."""
    how = "attachment" if attachment else "inline"
    plain = _NOT_PLAIN.sub("_", filename)
    if plain == filename:
        return f'{how}; filename="{plain}"'
    # a name from a file system can contain a lone surrogate
    full = quote(filename.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{full}"


def unique(filename: str, taken: dict[str, int]) -> str:
    """Return ``filename``, numbered if it is among the ``taken`` names, and add the result to them.

    Each taken name is stored with the last number given to a name like it, so that the search continues from there.
    Names that differ only in upper and lower case are one file on some systems.
    """
    stem, dot, suffix = filename.rpartition(".")
    if not stem:
        stem, dot, suffix = filename, "", ""
    candidate, number = filename, taken.get(filename.casefold(), 1)
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem} ({number}){dot}{suffix}"
    taken[filename.casefold()] = number
    taken.setdefault(candidate.casefold(), 1)
    return candidate
