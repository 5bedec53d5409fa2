"""Limits a transform to a rectangle of the picture."""

from __future__ import annotations

from abc import abstractmethod

from PIL import Image
from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from imagomortis.errors import TransformFailed
from imagomortis.recipe.transforms.step import Box, Context, Length, Size, Step, slider, whole

_NONE, _ALL = Length(0), Length(100)


class Region(Step):
    """A step that changes a rectangle of the picture, or all of it, as by default."""

    x: Length = Field(
        _NONE,
        title="Left",
        description="distance of the rectangle from the left edge",
        exclude_if=lambda length: length == _NONE,
        json_schema_extra=slider(0, 99, 0.5),
    )
    y: Length = Field(
        _NONE,
        title="Top",
        description="distance of the rectangle from the top edge",
        exclude_if=lambda length: length == _NONE,
        json_schema_extra=slider(0, 99, 0.5),
    )
    width: Length = Field(
        _ALL,
        description="width of the rectangle; what reaches over the edge is left out",
        exclude_if=lambda length: length == _ALL,
        json_schema_extra=slider(1, 100, 0.5),
    )
    height: Length = Field(
        _ALL,
        description="height of the rectangle; what reaches over the edge is left out",
        exclude_if=lambda length: length == _ALL,
        json_schema_extra=slider(1, 100, 0.5),
    )

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Change the rectangle; raise TransformFailed if it begins outside of the picture."""
        box = _box(self, image.size, context.scale)
        if box == (0, 0, *image.size):
            return self.change(image, image.size, context)
        image.paste(self.change(image.crop(box), image.size, context), box)
        return image

    @abstractmethod
    def change(self, part: Image.Image, whole_size: Size, context: Context) -> Image.Image:
        """Return the changed rectangle, in the same size; ``whole_size`` is that of the whole picture."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the rectangle last: the editor shows fields in their order."""
        found = super().__get_pydantic_json_schema__(schema, handler)
        properties = handler.resolve_ref_schema(found)["properties"]
        for name in ("x", "y", "width", "height"):
            properties[name] = properties.pop(name)
        return found


def _box(step: Region, size: Size, scale: float) -> Box:
    left, top = round(step.x.pixels(size[0], scale)), round(step.y.pixels(size[1], scale))
    if left >= size[0] or top >= size[1]:
        raise TransformFailed(
            f"the rectangle begins at {left}, {top}, outside of the picture of {size[0]} x {size[1]} pixels; "
            "choose a smaller x or y"
        )
    right, bottom = left + whole(step.width.pixels(size[0], scale)), top + whole(step.height.pixels(size[1], scale))
    return left, top, min(size[0], right), min(size[1], bottom)
