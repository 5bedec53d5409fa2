"""Paints colours onto pictures, with and without an alpha channel."""

from __future__ import annotations

from typing import Annotated

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import slider

Opacity = Annotated[
    float, Field(ge=0.05, le=1, description="from nearly invisible to solid", json_schema_extra=slider(0.05, 1, 0.05))
]
"""How solid something that is painted over a picture is; 1 hides what lies below."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour, 0 to 255 each."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink(colour: str, mode: str) -> tuple[int, ...]:
    """Return a colour, or transparency, as a pixel value of an RGB or RGBA picture."""
    if colour == "transparent":
        return (0, 0, 0, 0)
    return (*rgb(colour), 255) if mode == "RGBA" else rgb(colour)


def with_room_for(image: Image.Image, colour: str) -> Image.Image:
    """Return the picture with an alpha channel if ``colour`` needs one."""
    return image.convert("RGBA") if colour == "transparent" and image.mode == "RGB" else image


def blend(image: Image.Image, colour: str, mask: Image.Image, at: tuple[int, int]) -> None:
    """Paint a colour over part of the picture, in place; ``mask`` (L) is its opacity, ``at`` its top left corner."""
    if image.mode == "RGBA":
        overlay = Image.new("RGBA", mask.size, rgb(colour))
        overlay.putalpha(mask)
        image.alpha_composite(overlay, at)
    else:
        image.paste(rgb(colour), at, mask)
