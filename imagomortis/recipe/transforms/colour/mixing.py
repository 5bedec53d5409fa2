"""Mixes red, green and blue; transparency is never changed."""

from __future__ import annotations

from PIL import Image

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright the light of red, green and blue looks (ITU-R BT.709)."""

Row = tuple[float, float, float]


def saturate(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture with its colours moved away from grey (``factor`` above 1) or towards it (below 1)."""
    if factor == 1:
        return image
    red, green, blue = ((1 - factor) * weight for weight in LUMINANCE)
    rows = ((red + factor, green, blue), (red, green + factor, blue), (red, green, blue + factor))
    return mixed(image, rows)


def mixed(image: Image.Image, rows: tuple[Row, Row, Row]) -> Image.Image:
    """Return the picture with new red, green and blue: each the sum of the old ones, weighted by its row."""
    matrix = tuple(weight for row in rows for weight in (*row, 0))
    return with_alpha_of(image, opaque(image).convert("RGB", matrix))


def greys(image: Image.Image) -> Image.Image:
    """Return how bright each pixel looks, as levels (L)."""
    return opaque(image).convert("L", (*LUMINANCE, 0))


def opaque(image: Image.Image) -> Image.Image:
    """Return the colours without their transparency."""
    return image.convert("RGB") if image.mode == "RGBA" else image


def with_alpha_of(image: Image.Image, result: Image.Image) -> Image.Image:
    """Return a result that is as transparent as ``image``."""
    if image.mode == "RGBA":
        result.putalpha(image.getchannel("A"))
    return result
