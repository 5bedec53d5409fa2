"""Selects the EXIF that results keep: camera, exposure, time and copyright, but never a place or a person.

Positions, serial numbers, names of artists and owners, descriptions and camera makers' own notes stay in the original
only. So a shared result reveals nothing private. The copyright is kept, because its holder wrote it to be seen. The
thumbnail inside EXIF is dropped, because it shows the picture before it was edited. Long texts are cut.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from PIL import Image

_EXIF_DIRECTORY = 0x8769
_ORIENTATION, _UPRIGHT = 0x0112, 1

CAMERA_TAGS: Final = frozenset(
    {
        0x010F,  # Make
        0x0110,  # Model
        0x0131,  # Software
        0x0132,  # DateTime
        0x8298,  # Copyright
    }
)
"""Tags that are kept of EXIF's first directory."""

EXPOSURE_TAGS: Final = frozenset(
    {
        0x829A,  # ExposureTime
        0x829D,  # FNumber
        0x8822,  # ExposureProgram
        0x8827,  # ISOSpeedRatings
        0x9003,  # DateTimeOriginal
        0x9004,  # DateTimeDigitized
        0x9010,  # OffsetTime
        0x9011,  # OffsetTimeOriginal
        0x9012,  # OffsetTimeDigitized
        0x9204,  # ExposureBiasValue
        0x9207,  # MeteringMode
        0x9209,  # Flash
        0x920A,  # FocalLength
        0x9291,  # SubsecTimeOriginal
        0xA405,  # FocalLengthIn35mmFilm
        0xA432,  # LensSpecification
        0xA433,  # LensMake
        0xA434,  # LensModel
    }
)
"""Tags that are kept of EXIF's second directory."""

LONGEST_VALUE: Final = 512
"""Characters that are kept of a text, and numbers of a list. EXIF itself has no limit."""


def kept(image: Image.Image) -> bytes:
    """Return the EXIF block for the results of an opened picture; empty if there is nothing to keep."""
    if "exif" not in image.info and image.format != "TIFF":
        return b""
    try:
        source = image.getexif()
        camera = _chosen(source, CAMERA_TAGS)
        exposure = _chosen(source.get_ifd(_EXIF_DIRECTORY), EXPOSURE_TAGS)
        return _block(camera, exposure) if camera or exposure else b""
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, SyntaxError, OSError, EOFError, struct.error):
        return b""  # damaged metadata is no reason to refuse a picture that can be shown


def _chosen(directory: Mapping[int, Any], tags: frozenset[int]) -> dict[int, Any]:
    """Return the values of these tags, cut to the longest length."""
    return {
        tag: value[:LONGEST_VALUE] if isinstance(value, str | bytes | tuple) else value
        for tag, value in directory.items()
        if tag in tags
    }


def _block(camera: dict[int, Any], exposure: dict[int, Any]) -> bytes:
    result = Image.Exif()
    for tag, value in camera.items():
        result[tag] = value
    result[_ORIENTATION] = _UPRIGHT
    if exposure:
        result.get_ifd(_EXIF_DIRECTORY).update(exposure)
    return result.tobytes()
