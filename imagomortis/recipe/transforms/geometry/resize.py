"""Enlarges or reduces the picture."""

from __future__ import annotations

from typing import Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from imagomortis.picture.codec import View
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Box,
    Context,
    Length,
    Place,
    Size,
    Step,
    begin,
    labels,
    offset,
    whole,
)


class Resize(Step):
    """A new width and height; give one of them and the other follows the picture's proportions."""

    model_config = begin(width="1200px", height="1200px")

    transform: Literal["resize"] = "resize"
    width: Length | None = Field(None, description="new width")
    height: Length | None = Field(None, description="new height")
    fit: Literal["contain", "cover", "exact"] = Field(
        "contain",
        description="`contain`: all of it within the box; `cover`: fill the box and cut the rest; `exact`: stretch",
        json_schema_extra=labels(contain="All of it within", cover="Fill and cut", exact="Stretch"),
    )
    position: Place = Field("center", description="which part stays when `cover` cuts", json_schema_extra=HIDDEN)
    enlarge: bool = Field(
        False, title="Enlarge small pictures", description="whether `contain` may make a small picture larger"
    )

    @model_validator(mode="after")
    def _needs_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError('resize needs a width, a height or both, for example "width": "1200px"')
        return self

    def resized(self, size: Size, scale: float) -> Size:
        """Return the size of the result."""
        box = _box(self, size, scale)
        if self.fit != "contain":
            return box
        ratio = min(box[0] / size[0], box[1] / size[1])
        ratio = ratio if self.enlarge else min(ratio, 1.0)
        return whole(size[0] * ratio), whole(size[1] * ratio)

    def surplus(self, size: Size) -> float:
        """Return how many pixels become one, in the direction in which they are fewer."""
        target = self.resized(size, 1.0)
        left, top, right, bottom = self._part(size, target)
        return min((right - left) / target[0], (bottom - top) / target[1])

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Resample with a filter that keeps edges sharp."""
        view = context.view or View.of(image)
        target = self.resized(view.size, context.scale)
        if target == view.size:
            return image
        box = view.inside(self._part(view.size, target))
        return image.resize(target, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)

    def _part(self, size: Size, target: Size) -> Box:
        return _covering(size, target, self.position) if self.fit == "cover" else (0, 0, *size)


def _box(step: Resize, size: Size, scale: float) -> Size:
    width = step.width.pixels(size[0], scale) if step.width else None
    height = step.height.pixels(size[1], scale) if step.height else None
    if width is None:
        width = size[0] * (height or 1) / size[1]
    if height is None:
        height = size[1] * width / size[0]
    return whole(width), whole(height)


def _covering(size: Size, target: Size, place: Place) -> Box:
    """Return the part of the picture that has the proportions of the target."""
    ratio = max(target[0] / size[0], target[1] / size[1])
    part = min(size[0], whole(target[0] / ratio)), min(size[1], whole(target[1] / ratio))
    left, top = offset(place, size, part)
    return left, top, left + part[0], top + part[1]
