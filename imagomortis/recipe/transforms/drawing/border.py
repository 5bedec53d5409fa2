"""Adds a frame around the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.drawing.paint import ink, with_room_for
from imagomortis.recipe.transforms.step import Background, Context, Length, Size, Step, shorter, slider


class Border(Step):
    """A frame of one colour, which enlarges the picture on every side."""

    transform: Literal["border"] = "border"
    width: Length = Field(Length(3), description="width of the frame", json_schema_extra=slider(0, 25, 0.5))
    colour: Background = Field("#ffffff", description="colour of the frame")

    def resized(self, size: Size, scale: float) -> Size:
        """Return the size of the result."""
        width = _width(self, size, scale)
        return size[0] + 2 * width, size[1] + 2 * width

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Paste the picture onto a larger one of the frame's colour."""
        width = _width(self, image.size, context.scale)
        if width == 0:
            return image
        image = with_room_for(image, self.colour)
        framed = Image.new(image.mode, self.resized(image.size, context.scale), ink(self.colour, image.mode))
        framed.paste(image, (width, width))
        return framed


def _width(step: Border, size: Size, scale: float) -> int:
    return round(step.width.pixels(shorter(size), scale))
