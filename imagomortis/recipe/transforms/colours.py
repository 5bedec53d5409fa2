"""Calculates with colours, for several transforms; transparency is never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright the light of red, green and blue looks (ITU-R BT.709)."""


def map_levels(image: Image.Image, level: Callable[[float], float]) -> Image.Image:
    """Return the picture with ``level`` applied to each colour's levels, 0 to 255, and clipped to that range."""
    return _through(image, _table(level) * 3)


def map_channels(image: Image.Image, levels: Sequence[Callable[[float], float]]) -> Image.Image:
    """Return the picture with a function of its own applied to red, green and blue, as ``map_levels`` does."""
    return _through(image, [entry for level in levels for entry in _table(level)])


def saturate(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture with its colours moved away from grey (``factor`` above 1) or towards it (below 1)."""
    if factor == 1:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    red, green, blue = ((1 - factor) * weight for weight in LUMINANCE)
    colours = image.convert("RGB") if alpha else image
    result = colours.convert(
        "RGB",
        (red + factor, green, blue, 0, red, green + factor, blue, 0, red, green, blue + factor, 0),
    )
    if alpha:
        result.putalpha(alpha)
    return result


def _table(level: Callable[[float], float]) -> list[int]:
    return [min(255, max(0, round(level(value)))) for value in range(256)]


def _through(image: Image.Image, tables: list[int]) -> Image.Image:
    untouched = list(range(256)) if image.mode == "RGBA" else []
    return image.point(tables + untouched)
