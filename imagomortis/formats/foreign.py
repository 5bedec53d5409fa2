"""What is no picture, by its content: files of another kind, and such files hidden behind or inside a picture."""

from __future__ import annotations

import re
import struct

from imagomortis.formats import isobmff, jpeg
from imagomortis.formats.structure import Buffer

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
_MARKUP: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"(?:<\?xml[^>]*>|<!--.*?-->|<!doctype svg[^>]*>|\s)*<(?:\w+:)?svg[\s>]", re.I | re.S),
        "an SVG drawing",
    ),
    (
        re.compile(
            rb"(?:<!--.*?-->|\s)*<(?:!doctype html|html|head|body|script|iframe|title|div|p|a|h1)\b", re.I | re.S
        ),
        "an HTML page",
    ),
    (re.compile(rb"#!|<\?php|<\?=|<%|@echo off", re.I), "a script"),
    (re.compile(rb"<\?xml|<[a-z][\w:]*[\s>]", re.I), "an XML document"),
    (re.compile(rb"[{\[]\s*[\"{\[\]}\d]"), "JSON text"),
)
# strong enough to be looked for anywhere behind a picture, also inside a phone's video or a camera's notes
_HIDDEN = re.compile(rb"[<%](?:(?i:script\b|html\b|!doctype html|body\b|iframe\b|svg\s)|\?php|PDF-\d)")
_PADDING = re.compile(rb"[\x00\xff\s]*")
_PHONE_NOTE = re.compile(rb"\s*LIVE_\d+\s*\Z")
_ZIP_END = b"PK\x05\x06"
_SHORTEST_TEXT = 16


def name(data: Buffer) -> str | None:
    """Say what a file is that is no picture of a kind that is taken; None if that cannot be told."""
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
    """Say what else a picture is: a PDF (begun in the first 1,024 bytes) or a ZIP (which is read backwards)."""
    if data.find(b"%PDF-", 0, 1024 + 5) >= 0:
        return "a PDF document"
    return "a ZIP archive" if _ends_as_zip(data) else None


def tail(data: Buffer, start: int) -> str | None:
    """Say what lies behind a picture that does not belong there; None where that is harmless.

    Padding, further JPEGs (MPF, depth and gain maps), the video of a motion photo and camera makers' own blocks belong.
    Raises BrokenPicture where one of them is cut off.
    """
    hidden = _HIDDEN.search(data, start)
    if hidden:
        return _hidden_name(hidden[0])
    position = start
    while True:
        position = _after_padding(data, position)
        if position >= len(data):
            return None
        following = _after_known(data, position)
        if following == position:
            return _rest(data, position)
        position = following


def _after_padding(data: Buffer, position: int) -> int:
    match = _PADDING.match(data, position)
    # 0xFF may be the first byte of a further JPEG
    end = match.end() if match else position
    return end - 1 if end > position and data[end - 1] == 0xFF and data[end : end + 1] == b"\xd8" else end


def _after_known(data: Buffer, position: int) -> int:
    """Return the offset after a further JPEG or a box of a video, or ``position`` where neither is."""
    if data[position : position + 3] == b"\xff\xd8\xff":
        return jpeg.parse(data, position).end
    # a box begins with its length, whose zeros look like padding
    for start in range(max(0, position - 3), position + 1):
        if (end := isobmff.skip(data, start)) > position:
            return end
    return position


def _rest(data: Buffer, position: int) -> str | None:
    head = bytes(data[position : position + _TEXT])
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
    if found.startswith(b"<?"):
        return "a script"
    lowered = found.lower()
    if lowered.startswith(b"<svg"):
        return "an SVG drawing"
    return "a script" if lowered.startswith(b"<script") else "an HTML page"


def _markup(text: bytes) -> str | None:
    stripped = text.lstrip()
    return next((what for pattern, what in _MARKUP if pattern.match(stripped)), None)


def _as_text(head: bytes) -> bytes | None:
    """Return the beginning of a text as ASCII-compatible bytes; None if it is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) & ~1].decode("utf-16", "replace").encode()
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip() or re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        return None
    # the cut may have gone through a character
    return head if any(_decodes(head[: len(head) - cut]) for cut in range(4)) else None


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
    record = data[position : position + 22]
    if len(record) < 22:
        return False
    disk, first_disk, here, total, size, offset, comment = struct.unpack("<4xHHHHIIH", record)
    fits = (size == 0xFFFFFFFF or size <= position) and (offset == 0xFFFFFFFF or offset + size <= len(data))
    return bool(fits and disk == first_disk and here == total and position + 22 + comment <= len(data))
