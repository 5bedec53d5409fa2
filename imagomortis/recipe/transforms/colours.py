"""Calculates with colours, for several transforms; transparency is never changed."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

# how bright red, green and blue look (ITU-R BT.709)
_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722


def map_levels(image: Image.Image, level: Callable[[float], float]) -> Image.Image:
    """Return the picture with ``level`` applied to each colour's levels, 0 to 255, and clipped to that range."""
    table = [min(255, max(0, round(level(value)))) for value in range(256)]
    untouched = list(range(256)) if image.mode == "RGBA" else []
    return image.point(table * 3 + untouched)


def saturate(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture with its colours moved away from grey (``factor`` above 1) or towards it (below 1)."""
    if factor == 1:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    red, green, blue = ((1 - factor) * weight for weight in (_RED, _GREEN, _BLUE))
    colours = image.convert("RGB") if alpha else image
    result = colours.convert(
        "RGB",
        (red + factor, green, blue, 0, red, green + factor, blue, 0, red, green, blue + factor, 0),
    )
    if alpha:
        result.putalpha(alpha)
    return result
