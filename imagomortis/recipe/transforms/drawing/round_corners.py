"""Rounds the corners of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageChops, ImageDraw
from pydantic import Field

from imagomortis.recipe.transforms.drawing.paint import ink, with_room_for
from imagomortis.recipe.transforms.step import Background, Context, Length, Step, shorter, slider

_FINE = 4
"""How many times larger a corner is drawn, for a smooth edge."""


class RoundCorners(Step):
    """Round corners; formats without transparency, such as JPEG, show white outside of them."""

    transform: Literal["round_corners"] = "round_corners"
    radius: Length = Field(
        Length(8),
        description="radius of the corners, at most half of the shorter side, which makes a square a circle",
        json_schema_extra=slider(0, 50, 0.5),
    )
    background: Background = Field("transparent", title="Corners", description="what lies outside of the corners")

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Replace what lies outside of the corners by the background."""
        side = shorter(image.size)
        radius = round(min(self.radius.pixels(side, context.scale), side / 2))
        if radius == 0:
            return image
        image = with_room_for(image, self.background)
        right, bottom = image.width - radius, image.height - radius
        outside = ImageChops.invert(_inside(radius))
        for across, down in ((0, 0), (right, 0), (0, bottom), (right, bottom)):
            turned = _turned(outside, across > 0, down > 0)
            corner = image.crop((across, down, across + radius, down + radius))
            image.paste(_covered(corner, self.background, turned), (across, down))
        return image


def _inside(radius: int) -> Image.Image:
    """Return how much of each pixel of the top left corner lies inside."""
    large = Image.new("L", (radius * _FINE, radius * _FINE))
    ImageDraw.Draw(large).ellipse((0, 0, 2 * radius * _FINE - 1, 2 * radius * _FINE - 1), fill=255)
    return large.reduce(_FINE)


def _turned(corner: Image.Image, is_right: bool, is_bottom: bool) -> Image.Image:
    corner = corner.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if is_right else corner
    return corner.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if is_bottom else corner


def _covered(corner: Image.Image, background: str, outside: Image.Image) -> Image.Image:
    """Return a corner with the background laid over its outside; transparency takes the picture away instead."""
    if background == "transparent":
        corner.putalpha(ImageChops.multiply(corner.getchannel("A"), ImageChops.invert(outside)))
        return corner
    corner.paste(ink(background, corner.mode), mask=outside)
    return corner
