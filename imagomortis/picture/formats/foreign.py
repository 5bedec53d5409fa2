"""Detects files that are not pictures, and foreign files hidden behind or inside a picture."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from contextlib import suppress

from imagomortis.picture.formats import isobmff, jpeg
from imagomortis.picture.formats.structure import Buffer

_TEXT = 4096
_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"PK\x05\x06", "a ZIP archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"(\xb5/\xfd", "a zstd archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"\xca\xfe\xba\xbe", "a program"),
    (0, b"\xcf\xfa\xed\xfe", "a program"),
    (0, b"\x00asm", "a program"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"\x00\x00\x02\x00", "a cursor"),
    (0, b"icns", "an icon"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture"),
    (0, b"IIRO", "a camera's raw file"),
    (0, b"IIU\x00", "a camera's raw file"),
    (0, b"FUJIFILM", "a camera's raw file"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"OggS", "a sound or video"),
    (0, b"ID3", "a sound"),
    (0, b"fLaC", "a sound"),
    (0, b"FLV\x01", "a video"),
    (0, b"\x00\x00\x01\xba", "a video"),
    (8, b"AVI ", "a video"),
    (8, b"WAVE", "a sound"),
    (0, b"SQLite format 3\x00", "a database"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (0, b"wOFF", "a font"),
    (0, b"wOF2", "a font"),
    (0, b"OTTO", "a font"),
)
# What can precede the first element. The pieces are matched one by one: one expression for all of them would backtrack
# through every way to divide them.
_PROLOGUE = re.compile(rb"\s+|<!--.*?-->|<\?xml[^>]*>|<!doctype svg[^>]*>", re.I | re.S)
_ROOTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"<(?:\w+:)?svg[\s>]", re.I), "an SVG drawing"),
    (re.compile(rb"<(?:!doctype html|html|head|body|script|iframe|title|div|p|a|h1)\b", re.I), "an HTML page"),
)
_MARKUP: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"#!|<\?php|<\?=|<%|@echo off", re.I), "a script"),
    (re.compile(rb"<\?xml|<[a-z][\w:]*[\s>]", re.I), "an XML document"),
    (re.compile(rb"[{\[]\s*[\"{\[\]}\d]"), "JSON text"),
)
# Long enough to be searched for in everything behind a picture: by chance, one in two million phone videos of 20 MB
# holds such a mark. The search is fast because the first byte is a literal.
_HIDDEN = (
    re.compile(rb"<(?:(?:[a-z][\w.-]{0,30}:)?script[\s/>]|\?php\s[\t\n\r\x20-\x7e]{2}|!doctype html)", re.I),
    re.compile(rb"%PDF-\d\.\d"),
)
# Searched for outside of videos and further JPEGs, in data that is rare and short: by chance, one in 200,000 pieces of
# 1 MB holds such a mark.
_SUSPECT = (
    re.compile(
        rb"<(?:(?:html|head|body|iframe)[\s/>]|\?php\s"
        rb"|(?:[a-z][\w.-]{0,30}:)?svg[\s/>][\t\n\r\x20-\x7e]{3}"
        # any element with an event handler, an address or a style
        rb"|[a-z][\w:.-]{0,30}[\s/][^<>]{0,1000}?(?<=[\s/\"'])"
        rb"(?:on[a-z]{3,24}|src|srcdoc|href|(?:form)?action|http-equiv|data|style)\s{0,8}=)",
        re.I,
    ),
    re.compile(rb"#![ \t]*/[\w/.-]{0,60}?bin/"),
    re.compile(rb"%PDF-\d"),
)
_PADDING = re.compile(rb"[\x00\xff\s]*")
_PHONE_NOTE = re.compile(rb"\s*LIVE_\d+\s*\Z")
_ZIP_END, _ZIP_ENTRY, _ZIP_64 = b"PK\x05\x06", b"PK\x01\x02", b"PK\x06\x07"
_SHORTEST_TEXT = 16
_LONGEST_FTYP = 4096
_MOST_VIDEOS = 8


def name(data: Buffer) -> str | None:
    """Return what kind of file this is, if it is not a supported picture; None if it is unknown."""
    head = bytes(data[:_TEXT])
    for offset, magic, what in _MAGICS:
        if head.startswith(magic, offset):
            return what
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide"}:
        return "a camera's raw file" if head[8:12] == b"crx " else "a video"
    text = _as_text(head)
    if text is None:
        return None
    return _markup(text) or "text"


def polyglot(data: Buffer) -> str | None:
    """Return what else a picture is: a PDF (begun in the first 1,024 bytes) or a ZIP (which is read from its end)."""
    if data.find(b"%PDF-", 0, 1024 + 5) >= 0:
        return "a PDF document"
    return "a ZIP archive" if _ends_as_zip(data) else None


def tail(data: Buffer, start: int) -> str | None:
    """Return what foreign data lies behind a picture; None if the rest is harmless.

    Harmless are padding, further JPEGs (MPF, depth and gain maps), a motion photo's video and camera makers' own
    blocks. Raises BrokenPicture if one of them is cut off.
    """
    if what := _hidden(_HIDDEN, data, start, len(data)):
        return what
    position, videos = start, 0
    while (position := _after_padding(data, position)) < len(data):
        following = _after_known(data, position)
        if following == position:
            following = _next_video(data, position) if videos < _MOST_VIDEOS else len(data)
            videos += 1
            if what := _rest(data, position, following):
                return what
        position = following
    return None


def _hidden(marks: Sequence[re.Pattern[bytes]], data: Buffer, start: int, end: int) -> str | None:
    found = (mark.search(data, start, end) for mark in marks)
    return next((_hidden_name(each[0]) for each in found if each), None)


def _after_padding(data: Buffer, position: int) -> int:
    match = _PADDING.match(data, position)
    # 0xFF can be the first byte of a further JPEG, or of a text in UTF-16
    end = match.end() if match else position
    is_first = end > position and data[end - 1] == 0xFF and data[end : end + 1] in {b"\xd8", b"\xfe"}
    return end - 1 if is_first else end


def _next_video(data: Buffer, position: int) -> int:
    """Return where a video begins behind other data, as in Samsung's motion photos; the end if there is no video."""
    kind = data.find(b"ftyp", position + 4)
    while kind >= 0:
        start = kind - 4
        size = int.from_bytes(data[start:kind])
        if 16 <= size <= min(_LONGEST_FTYP, len(data) - start):
            return start
        kind = data.find(b"ftyp", kind + 4)
    return len(data)


def _after_known(data: Buffer, position: int) -> int:
    """Return the offset after a further JPEG or a video's box; ``position`` if neither begins there."""
    if data[position : position + 3] == b"\xff\xd8\xff":
        return jpeg.parse(data, position).end
    # a box begins with its length, whose zeros look like padding
    for start in range(max(0, position - 3), position + 1):
        if (end := isobmff.skip(data, start)) > position:
            return end
    return position


def _rest(data: Buffer, position: int, end: int) -> str | None:
    """Return what foreign data lies between two offsets; None if it is harmless."""
    head = bytes(data[position : min(end, position + _TEXT)])
    if what := _hidden(_SUSPECT, data, position, end):
        return what
    if _PHONE_NOTE.match(head):
        return None
    for offset, magic, what in _MAGICS:
        if len(magic) > 3 and head.startswith(magic, offset):
            return what
    text = _as_text(head)
    if text is None:
        return None
    return _markup(text) or ("text or a script" if len(text.strip()) >= _SHORTEST_TEXT else None)


def _hidden_name(found: bytes) -> str:
    if found.startswith(b"%"):
        return "a PDF document"
    if found.startswith((b"<?", b"#!")):
        return "a script"
    name = re.split(rb"[\s/>]", found[1:].lower(), maxsplit=1)[0].rpartition(b":")[2]
    if name == b"svg":
        return "an SVG drawing"
    return "a script" if name == b"script" else "an HTML page"


def _markup(text: bytes) -> str | None:
    root = _after_prologue(text)
    found = (what for pattern, what in _ROOTS if pattern.match(text, root))
    stripped = text.lstrip()
    return next(found, None) or next((what for pattern, what in _MARKUP if pattern.match(stripped)), None)


def _after_prologue(text: bytes) -> int:
    position = 0
    while match := _PROLOGUE.match(text, position):
        position = match.end()
    return position


def _as_text(head: bytes) -> bytes | None:
    """Return the beginning of a text as ASCII-compatible bytes; None if it is not text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _from_utf_16(head[: len(head) & ~1])
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip() or re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        return None
    # the cut can split a character
    return head if any(_decodes(head[: len(head) - cut]) for cut in range(4)) else None


def _from_utf_16(head: bytes) -> bytes | None:
    for cut in (0, 2):  # the cut can split a surrogate pair
        with suppress(UnicodeDecodeError):
            text = head[: len(head) - cut].decode("utf-16").encode()
            return None if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text) else text
    return None


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ends_as_zip(data: Buffer) -> bool:
    start = max(0, len(data) - 22 - 65_535)
    position = data.rfind(_ZIP_END, start)
    while position >= 0:
        if _is_zip_end(data, position):
            return True
        position = data.rfind(_ZIP_END, start, position)
    return False


def _is_zip_end(data: Buffer, position: int) -> bool:
    """Return whether a record ends a ZIP archive: its fields agree, or the directory is where it says.

    Programs that open archives accept a comment that is cut off, and Python's zipfile checks only the directory.
    """
    record = data[position : position + 22]
    if len(record) < 22:
        return False
    disk, first_disk, here, total, size, offset = struct.unpack("<4xHHHHII2x", record)
    fits = (size == 0xFFFFFFFF or size <= position) and (offset == 0xFFFFFFFF or offset + size <= len(data))
    has_directory = size <= position and data[position - size : position - size + 4] == _ZIP_ENTRY
    is_large = position >= 20 and data[position - 20 : position - 16] == _ZIP_64
    return has_directory or is_large or bool(fits and disk == first_disk and here == total)
