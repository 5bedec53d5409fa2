"""Rotates the picture by any angle."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.drawing.paint import ink, with_room_for
from imagomortis.recipe.transforms.step import Background, Context, Size, Step, slider, whole

_QUARTERS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


class Rotate(Step):
    """An angle in degrees, clockwise."""

    transform: Literal["rotate"] = "rotate"
    angle: float = Field(
        ge=-360,
        le=360,
        description="degrees, clockwise",
        examples=[90, -12.5],
        json_schema_extra=slider(-180, 180, 1, "°"),
    )
    expand: bool = Field(
        True, title="Keep the corners", description="grow so that nothing is cut off; otherwise keep the size"
    )
    background: Background = Field("#ffffff", title="Corners", description="what fills the corners")

    def resized(self, size: Size, _scale: float) -> Size:
        """Return the size of the result."""
        if not self.expand or self.angle % 180 == 0:
            return size
        if self.angle % 90 == 0:
            return size[1], size[0]
        sine, cosine = abs(math.sin(math.radians(self.angle))), abs(math.cos(math.radians(self.angle)))
        return whole(size[0] * cosine + size[1] * sine), whole(size[0] * sine + size[1] * cosine)

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Rotate by quarter turns without loss if possible; otherwise resample, with smooth edges."""
        angle = self.angle % 360
        if angle == 0:
            return image
        if angle in _QUARTERS and (self.expand or angle == 180):
            return image.transpose(_QUARTERS[int(angle)])
        size, target = image.size, self.resized(image.size, context.scale)
        matrix = _backwards(size, target, angle)
        image = _padded(with_room_for(image, self.background))
        turned = image.transform(target, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        return _on_background(turned, _coverage(size, target, matrix), self.background)


def _padded(image: Image.Image) -> Image.Image:
    """Return the picture with its outermost pixels repeated once on every side, for smooth edges."""
    width, height = image.size
    padded = Image.new(image.mode, (width + 2, height + 2))
    padded.paste(image, (1, 1))
    padded.paste(padded.crop((1, 1, 2, height + 1)), (0, 1))
    padded.paste(padded.crop((width, 1, width + 1, height + 1)), (width + 1, 1))
    padded.paste(padded.crop((0, 1, width + 2, 2)), (0, 0))
    padded.paste(padded.crop((0, height, width + 2, height + 1)), (0, height + 1))
    return padded


def _backwards(size: Size, target: Size, angle: float) -> tuple[float, ...]:
    """Return the affine matrix from the result's pixels to the padded picture's; both rotate about their centres."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    x, y = target[0] / 2, target[1] / 2
    left, top = size[0] / 2 + 1, size[1] / 2 + 1
    return cosine, sine, left - cosine * x - sine * y, -sine, cosine, top + sine * x - cosine * y


def _coverage(size: Size, target: Size, matrix: tuple[float, ...]) -> Image.Image:
    """Return how much of each result pixel the picture covers, without its padding."""
    solid = Image.new("L", (size[0] + 2, size[1] + 2))
    solid.paste(255, (1, 1, size[0] + 1, size[1] + 1))
    return solid.transform(target, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _on_background(turned: Image.Image, coverage: Image.Image, background: str) -> Image.Image:
    result = Image.new(turned.mode, turned.size, ink(background, turned.mode))
    result.paste(turned, mask=coverage)
    return result
