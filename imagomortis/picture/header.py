"""Checks a picture's header before anything is decoded: its format, its size, and that no foreign data follows."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from imagomortis.errors import BrokenPicture, PictureTooLarge, UnsupportedPicture
from imagomortis.picture.formats import bmp, foreign, gif, isobmff, jpeg, png, tiff, webp
from imagomortis.picture.formats.structure import Buffer, Structure

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of a picture: its file in bytes, its area and each side in pixels."""

    max_bytes: int = 100 * MIB
    max_pixels: int = 100_000_000
    max_side: int = 65_500

    def reason(self, width: int, height: int) -> str | None:
        """Return why ``width`` x ``height`` pixels are too many; None if they are not."""
        if max(width, height) > self.max_side:
            return f"{width} x {height} pixels: a side may have at most {self.max_side:,} pixels"
        if width * height > self.max_pixels:
            return (
                f"{width} x {height} pixels, {width * height / 1e6:.4g} megapixels: "
                f"at most {self.max_pixels / 1e6:.4g} megapixels are allowed"
            )
        return None


@dataclass(frozen=True)
class Header:
    """What a picture file says about itself.

    ``width`` and ``height`` are pixels as displayed, after ``orientation`` (EXIF's 1 to 8) is applied. ``frames``
    counts the pictures of an animation, of which the first is used. ``size`` is the file's length in bytes. The first
    ``end`` bytes belong to the picture, and the rest is data of a camera or phone.
    """

    format: str
    media_type: str
    width: int
    height: int
    orientation: int
    frames: int
    size: int
    end: int

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in pixels as stored in the file, before the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True)
class Format:
    """A supported picture format: its usual name, its media type and the parser of its files."""

    title: str
    media_type: str
    parse: Callable[[Buffer], Structure]


FORMATS: Final[dict[str, Format]] = {
    "JPEG": Format("JPEG", "image/jpeg", jpeg.parse),
    "PNG": Format("PNG", "image/png", png.parse),
    "WEBP": Format("WebP", "image/webp", webp.parse),
    "GIF": Format("GIF", "image/gif", gif.parse),
    "BMP": Format("BMP", "image/bmp", bmp.parse),
    "TIFF": Format("TIFF", "image/tiff", tiff.parse),
    "AVIF": Format("AVIF", "image/avif", isobmff.parse),
    "HEIF": Format("HEIC", "image/heic", isobmff.parse),
}
"""Every supported format, by the name that decoders use for it."""

TAKEN: Final = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC"
"""The supported formats, as text for people."""

_MAGICS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS, _HEIF_BRANDS = (
    {b"avif", b"avis"},
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
)


def read_header(source: bytes | int, limits: Limits) -> Header:
    """Read and check a picture's header, without decoding it and without reading the whole file into memory.

    ``source`` is the file's bytes or an open descriptor.

    Raises PictureTooLarge beyond ``limits``; UnsupportedPicture for a file that is not a picture or of another format;
    BrokenPicture for a picture that is cut off, contradicts itself or carries a foreign file in it or behind it.
    """
    data = contents(source, limits)
    kind = detect(data)
    structure = FORMATS[kind].parse(data)
    header = _header(kind, structure, len(data))
    if header.width < 1 or header.height < 1:
        raise BrokenPicture(f"The picture says that it is {header.width} x {header.height} pixels large.")
    if reason := limits.reason(header.width, header.height):
        raise PictureTooLarge(f"The picture has {reason}. Make it smaller and upload it again.")
    _refuse_companions(data, structure.end, FORMATS[kind].title)
    return header


def contents(source: bytes | int, limits: Limits) -> Buffer:
    """Return a whole file, mapped into memory if it is a descriptor; raise an error if it is empty or too large."""
    size = len(source) if isinstance(source, bytes) else os.fstat(source).st_size
    if size == 0:
        raise BrokenPicture("The file is empty. Check the original, and upload it again.")
    if size > limits.max_bytes:
        raise PictureTooLarge(
            f"The file has {size / MIB:.1f} MiB; at most {limits.max_bytes / MIB:.4g} MiB are allowed. "
            "Make the picture smaller and upload it again."
        )
    if isinstance(source, bytes):
        return source
    return mmap.mmap(source, 0, access=mmap.ACCESS_READ)


def detect(data: Buffer) -> str:
    """Return a picture's format, a key of FORMATS, by its first bytes; raise UnsupportedPicture for other files."""
    for magic, kind in _MAGICS:
        if data[: len(magic)] == magic:
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    brands = isobmff.brands(data)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    what = foreign.name(data)
    raise UnsupportedPicture(
        f"This is {what}, not a picture of a kind that is taken. Upload {TAKEN} pictures."
        if what
        else f"This is not a picture, or of a kind that is not known here. Upload {TAKEN} pictures."
    )


def _header(kind: str, structure: Structure, size: int) -> Header:
    width, height = structure.width, structure.height
    if structure.orientation >= 5:
        width, height = height, width
    return Header(
        kind, FORMATS[kind].media_type, width, height, structure.orientation, structure.frames, size, structure.end
    )


def _refuse_companions(data: Buffer, end: int, title: str) -> None:
    what = foreign.tail(data, end) if end < len(data) else None
    if what:
        raise BrokenPicture(
            f"Behind the {title} picture lies {what} ({len(data) - end:,} bytes follow the picture). Save the picture "
            "again with a photo program, which leaves that out."
        )
    if what := foreign.polyglot(data):
        raise BrokenPicture(
            f"The {title} file is {what} as well. Save the picture again with a photo program, which leaves that out."
        )
