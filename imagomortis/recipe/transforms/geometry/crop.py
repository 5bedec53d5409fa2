"""Cuts a rectangle out of the picture."""

from __future__ import annotations

import math
from typing import Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from imagomortis.errors import TransformFailed
from imagomortis.picture.codec import View
from imagomortis.recipe.transforms.geometry.proportions import Aspect, within
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Box,
    Context,
    Length,
    Place,
    Size,
    Step,
    begin,
    offset,
    slider,
    whole,
)


class Crop(Step):
    """A rectangle: by its sides, or as large as it can be in the proportions of ``aspect``."""

    model_config = begin(x="10%", y="10%", width="80%", height="80%")

    transform: Literal["crop"] = "crop"
    x: Length | None = Field(
        None,
        title="Left",
        description="distance from the left edge, instead of `position`",
        json_schema_extra=slider(0, 99, 0.5),
    )
    y: Length | None = Field(
        None,
        title="Top",
        description="distance from the top edge, instead of `position`",
        json_schema_extra=slider(0, 99, 0.5),
    )
    width: Length | None = Field(
        None, description="width of what stays; all of it without", json_schema_extra=slider(1, 100, 0.5)
    )
    height: Length | None = Field(
        None, description="height of what stays; all of it without", json_schema_extra=slider(1, 100, 0.5)
    )
    aspect: Aspect | None = Field(
        None, description="proportions instead of sides", examples=["16:9"], json_schema_extra=HIDDEN
    )
    position: Place = Field("center", description="where the rectangle lies", json_schema_extra=HIDDEN)

    @model_validator(mode="after")
    def _needs_a_size(self) -> Self:
        sides = self.width is not None or self.height is not None
        if sides == (self.aspect is not None):
            raise ValueError('crop needs either "width" and "height", or "aspect" such as "16:9"')
        return self

    def resized(self, size: Size, scale: float) -> Size:
        """Return the size of the result, which never exceeds the picture."""
        if self.aspect:
            return within(size, self.aspect)
        width = whole(self.width.pixels(size[0], scale)) if self.width else size[0]
        height = whole(self.height.pixels(size[1], scale)) if self.height else size[1]
        return min(size[0], width), min(size[1], height)

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Cut the rectangle out; raise TransformFailed if it begins outside of the picture."""
        box = _place(self, (context.view or View.of(image)).size, context.scale)
        return image if context.view else image.crop(box)

    def surplus(self, _size: Size) -> float:
        """Return infinity: the step looks at no pixel."""
        return math.inf

    def seen(self, view: View) -> View:
        """Return the view of the rectangle."""
        return view.cut(_place(self, view.size, 1.0))


def _place(step: Crop, size: Size, scale: float) -> Box:
    part = step.resized(size, scale)
    left, top = offset(step.position, size, part)
    left = round(step.x.pixels(size[0], scale)) if step.x else left
    top = round(step.y.pixels(size[1], scale)) if step.y else top
    if left >= size[0] or top >= size[1]:
        raise TransformFailed(
            f"the rectangle begins at {left}, {top}, outside of the picture of {size[0]} x {size[1]} pixels; "
            "choose a smaller x or y"
        )
    # a rectangle that reaches over the edge is moved back inside, so that the result has the planned size
    left, top = min(left, size[0] - part[0]), min(top, size[1] - part[1])
    return left, top, left + part[0], top + part[1]
