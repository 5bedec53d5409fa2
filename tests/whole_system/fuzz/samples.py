"""Proper input of each reader, to begin from, and pieces that are made to be slow when they are repeated."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Final

from tests.support.pictures import KINDS, oriented, photo, photo_with_exif, video
from tests.whole_system.fuzz.targets import BOUNDARY

_PART = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
_FORM = _PART + b"data\r\n--" + BOUNDARY + b"--\r\n"
_RECIPE = b'{"steps": [{"transform": "blur", "radius": "2%"}, {"transform": "encode", "format": "webp"}]}'
_CURSOR = base64.urlsafe_b64encode(bytes(range(24)))
_METADATA = b"filename YS5qcGc=,recipe " + base64.b64encode(b"circles")


def _exif() -> bytes:
    data = photo_with_exif()
    return data[data.index(b"Exif\0\0") :]


SAMPLES: Final[dict[str, tuple[Callable[[], bytes], ...]]] = {
    "picture": tuple(KINDS[kind] for kind in ("jpeg", "png", "webp-animated", "gif-animated", "tiff-pages", "heic")),
    "jpeg": (photo, KINDS["jpeg-progressive"], KINDS["jpeg-mpf"]),
    "png": (KINDS["png-palette"], KINDS["png-animated"]),
    "webp": (KINDS["webp"], KINDS["webp-animated"]),
    "gif": (KINDS["gif"], KINDS["gif-animated"]),
    "bmp": (KINDS["bmp-palette"],),
    "tiff": (KINDS["tiff-pages"], KINDS["tiff-16-bit-big-endian"], lambda: oriented("TIFF", 6)),
    "avif": (KINDS["avif"], KINDS["avif-alpha"], KINDS["heic"]),
    "exif": (_exif,),
    "jpeg-order": (photo,),
    "png-colours": (KINDS["png"],),
    "avif-colours": (KINDS["avif"], KINDS["heic"]),
    "companions": (video, lambda: photo() + video()),
    "multipart": (lambda: _FORM,),
    "content-type": (lambda: b"multipart/form-data; boundary=" + BOUNDARY,),
    "tus": (lambda: _METADATA, lambda: b"sha1 " + base64.b64encode(bytes(20)), lambda: b"1048576"),
    "recipe": (lambda: _RECIPE, lambda: b"circles"),
    "cursor": (lambda: _CURSOR,),
}
"""Proper input, by the reader's name."""

_ENTRY = struct.pack("<HHII", 330, 4, 1, 8)

UNITS: Final[dict[str, tuple[bytes, ...]]] = {
    "jpeg": (b"\xff", b"\xff\0", b"\xff\xd0", b"\xff\xd8", b"\xff\xfe\0\2", b"\xff\xe1\0\x08Exif\0\0"),
    "png": (b"\0\0\0\0abcd\0\0\0\0", b"\0\0\0\0eXIf\0\0\0\0", b"\0\0\0\0IDAT\0\0\0\0"),
    "webp": (b"JUNK\0\0\0\0", b"EXIF\0\0\0\0", b"ANMF\0\0\0\0"),
    "gif": (b"\x21\xfe\1a\0", b"\1a", b"\x2c\0\0\0\0\1\0\1\0\0\2\0"),
    "tiff": (_ENTRY, b"\1\0" + _ENTRY + b"\x08\0\0\0"),
    "avif": (b"\0\0\0\x08free", b"\0\0\0\x10ipma\0\0\0\0\0\1\0\0", b"\0\1\0"),
    "exif": (_ENTRY,),
    "companions": (
        *(b"<", b"<a ", b"<x:", b"<!---->", b"<?xml", b"<a 'on'on", b"#!/", b"PK\5\6", b"%PDF-", b"\xff\xd8\xff"),
        *(b"\0\0\0\x08free", b"xxxx\0\0\0\x10ftypisom\0\0\0\0", b"\0", b"LIVE_1", b"<" + b"a" * 31),
    ),
    "multipart": (_PART + b"\r\n", b"\r", b"\r\n", b"\r\n--", b"\r\n--" + BOUNDARY[:-1], b"a:b\r\n"),
    "content-type": (b";", b'"', b"\\", b'a="', b"; a=b"),
    "tus": (b",", b"a ,", b"a YQ==,", b" "),
    "recipe": (b"{},", b"[", b'{"', b"9", b"\\", b'{"transform":"blurr"},', b'"a":1,', b"c"),
}
"""Pieces to repeat, by the reader's name."""

PLACES: Final = {"jpeg": 2, "png": 33, "webp": 12, "gif": -1, "tiff": 8, "multipart": 0}
"""Where in proper input such a piece is read as a piece, by the reader's name; else at the end."""
