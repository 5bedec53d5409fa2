"""Selects the EXIF that results keep: camera, exposure, time and copyright, but never a place or a person.

Positions, serial numbers, names of artists and owners, descriptions and camera makers' own notes stay in the original
only. So a shared result reveals nothing private. The copyright is kept, because its holder wrote it to be seen. The
thumbnail inside EXIF is dropped, because it shows the picture before it was edited.
"""

from __future__ import annotations

import struct
from typing import Final

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


def kept(image: Image.Image) -> bytes:
    """Return the EXIF block for the results of an opened picture; empty if there is nothing to keep."""
    if "exif" not in image.info and image.format != "TIFF":
        return b""
    try:
        source = image.getexif()
        camera = {tag: value for tag, value in source.items() if tag in CAMERA_TAGS}
        exposure = {tag: value for tag, value in source.get_ifd(_EXIF_DIRECTORY).items() if tag in EXPOSURE_TAGS}
        return _block(camera, exposure) if camera or exposure else b""
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, SyntaxError, OSError, EOFError, struct.error):
        return b""  # damaged metadata is no reason to refuse a picture that can be shown


def _block(camera: dict[int, object], exposure: dict[int, object]) -> bytes:
    result = Image.Exif()
    for tag, value in camera.items():
        result[tag] = value
    result[_ORIENTATION] = _UPRIGHT
    if exposure:
        result.get_ifd(_EXIF_DIRECTORY).update(exposure)
    return result.tobytes()
