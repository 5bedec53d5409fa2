"""Scales deep samples (12, 16 and 32 bits, integer or floating point) to 8 bits, without clipping or darkening."""

from __future__ import annotations

import sys
from typing import Any, Final

from PIL import Image, ImageChops

_BITS, _BRIGHTNESS, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_GREY_STEPS: Final = {"L;2": 85, "L;4": 17}


def eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture with samples of 8 bits. Call it on a picture as it was decoded."""
    if image.mode.startswith("I;16"):
        levels = _of_sixteen_bits(image)
    elif image.mode in {"I", "F"}:
        levels = _of_thirty_two_bits(image)
    else:
        return image
    # the decoder inverts white-is-zero pictures at 8 bits only
    return ImageChops.invert(levels) if _tag(image, _BRIGHTNESS) == _WHITE_IS_ZERO else levels


def scale_transparent_colour(image: Image.Image) -> None:
    """Scale a PNG's transparent colour as the decoder will scale its pixels. Call it before the pixels are loaded."""
    colour, raw = image.info.get("transparency"), image.tile[0].args if image.tile else None  # type: ignore[attr-defined]
    if isinstance(colour, int) and raw in _GREY_STEPS:
        image.info["transparency"] = colour * _GREY_STEPS[raw]
    elif isinstance(colour, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(sample >> 8 for sample in colour)


def _of_sixteen_bits(image: Image.Image) -> Image.Image:
    if _tag(image, _BITS) == 12:
        image = image.point(lambda sample: sample * 16 + 0)
    data, first = image.tobytes(), 0 if image.mode == "I;16B" else 1
    # the upper byte of each sample: 65535 becomes 255
    upper = Image.frombytes("L", image.size, data[first::2])
    colour = image.info.get("transparency")
    if not isinstance(colour, int):
        return upper
    lower = Image.frombytes("L", image.size, data[1 - first :: 2])
    high, low = divmod(colour, 256)
    opaque = ImageChops.lighter(upper.point(_all_but(high)), lower.point(_all_but(low)))
    return Image.merge("LA", (upper, opaque))


def _all_but(level: int) -> list[int]:
    return [0 if each == level else 255 for each in range(256)]


def _of_thirty_two_bits(image: Image.Image) -> Image.Image:
    low, high = (float(extreme) for extreme in image.getextrema())  # type: ignore[arg-type]
    if low < 0 and image.mode == "I" and _tag(image, _SAMPLE_FORMAT) in {None, _UNSIGNED}:
        # the decoder reads signed numbers, but the file's are unsigned
        return Image.frombytes("L", image.size, image.tobytes()[(3 if sys.byteorder == "little" else 0) :: 4])
    black, white = _range(image.mode, low, high)
    scale = 255 / (white - black)
    return image.point(lambda sample: sample * scale + (0.5 - black * scale)).convert("L")


def _range(mode: str, low: float, high: float) -> tuple[float, float]:
    """Return which samples of a 32-bit picture are black and white: a usual range, or else its own extremes."""
    for white in (1.0, 255.0, 65_535.0):
        if low >= 0 and high <= white and (white > 1 or mode == "F"):
            return 0.0, white
    return low, max(high, low + 1)


def _tag(image: Image.Image, number: int) -> Any:
    """Return a TIFF tag's value (the first one if it has several); None if it is missing, or the file is not a TIFF."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value
