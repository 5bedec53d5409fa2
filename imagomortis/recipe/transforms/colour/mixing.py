"""Mixes red, green and blue; transparency is never changed."""

from __future__ import annotations

from PIL import Image

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright the light of red, green and blue looks (ITU-R BT.709)."""


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
