"""Adds room around the picture, up to a size or to proportions."""

from __future__ import annotations

from typing import Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from imagomortis.recipe.transforms.drawing.paint import ink, with_room_for
from imagomortis.recipe.transforms.geometry.proportions import Aspect, around
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Background,
    Context,
    Length,
    Place,
    Size,
    Step,
    begin,
    offset,
    whole,
)


class Pad(Step):
    """Room around the whole picture, so that it gets a size or proportions; nothing is cut or scaled."""

    model_config = begin(aspect="1:1")

    transform: Literal["pad"] = "pad"
    aspect: Aspect | None = Field(None, title="Proportions", description="proportions of the result, instead of sides")
    width: Length | None = Field(None, description="least width of the result", json_schema_extra=HIDDEN)
    height: Length | None = Field(None, description="least height of the result", json_schema_extra=HIDDEN)
    position: Place = Field("center", title="Place", description="where the picture lies")
    colour: Background = Field("#ffffff", description="colour of the room")

    @model_validator(mode="after")
    def _needs_a_size(self) -> Self:
        if (self.width is not None or self.height is not None) == (self.aspect is not None):
            raise ValueError('pad needs either "width", "height" or both, or "aspect" such as "1:1"')
        return self

    def resized(self, size: Size, scale: float) -> Size:
        """Return the size of the result, which is never smaller than the picture."""
        if self.aspect:
            return around(size, self.aspect)
        width = whole(self.width.pixels(size[0], scale)) if self.width else 0
        height = whole(self.height.pixels(size[1], scale)) if self.height else 0
        return max(size[0], width), max(size[1], height)

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Paste the picture onto a larger one of the room's colour."""
        target = self.resized(image.size, context.scale)
        if target == image.size:
            return image
        image = with_room_for(image, self.colour)
        padded = Image.new(image.mode, target, ink(self.colour, image.mode))
        padded.paste(image, offset(self.position, target, image.size))
        return padded
