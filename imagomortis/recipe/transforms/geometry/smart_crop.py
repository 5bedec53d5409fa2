"""Cuts out the part of the picture that people look at first."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal, Self

from PIL import Image, ImageChops, ImageFilter
from pydantic import Field, model_validator

from imagomortis.picture.codec import View
from imagomortis.recipe.transforms.geometry.proportions import Aspect, within
from imagomortis.recipe.transforms.step import HIDDEN, Box, Context, Length, Size, Step, begin, whole

_SIDE = 96
"""Longest side of the copy that is searched, in pixels."""

# how much each part counts; skin counts half
_EDGES = [4 * level for level in range(256)]
_PALE = 102
"""Saturation, from 0 to 255, that does not draw the eye yet."""

_VIVID = [max(0, level - _PALE) * 0.5 for level in range(256)]
_SKIN_BLUE, _SKIN_RED = range(77, 128), range(133, 174)


class SmartCrop(Step):
    """The most interesting part, as large as it can be in its proportions: by edges, saturated colours and skin."""

    model_config = begin(aspect="1:1")

    transform: Literal["smart_crop"] = "smart_crop"
    aspect: Aspect | None = Field(None, title="Proportions", description="proportions of the part, which is not scaled")
    width: Length | None = Field(
        None, description="width of the result, instead of proportions; the part is scaled", json_schema_extra=HIDDEN
    )
    height: Length | None = Field(
        None, description="height of the result, instead of proportions; the part is scaled", json_schema_extra=HIDDEN
    )

    @model_validator(mode="after")
    def _needs_a_size(self) -> Self:
        sides = (self.width is not None, self.height is not None)
        if any(sides) != all(sides) or all(sides) == (self.aspect is not None):
            raise ValueError('smart_crop needs either "width" and "height", or "aspect" such as "1:1"')
        return self

    def resized(self, size: Size, scale: float) -> Size:
        """Return the size of the result."""
        if self.width and self.height:
            return whole(self.width.pixels(size[0], scale)), whole(self.height.pixels(size[1], scale))
        return self._part(size, scale)

    def surplus(self, size: Size) -> float:
        """Return how many pixels become one, in the direction in which they are fewer."""
        part, target = self._part(size, 1.0), self.resized(size, 1.0)
        return min(part[0] / target[0], part[1] / target[1])

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Find the part, cut it out and scale it."""
        view = context.view or View.of(image)
        target = self.resized(view.size, context.scale)
        box = _place(image, view, self._part(view.size, context.scale))
        if target == (box[2] - box[0], box[3] - box[1]) and context.view is None:
            return image.crop(box)
        return image.resize(target, Image.Resampling.LANCZOS, box=view.inside(box), reducing_gap=3.0)

    def _part(self, size: Size, scale: float) -> Size:
        if self.aspect:
            return within(size, self.aspect)
        target = self.resized(size, scale)
        ratio = max(target[0] / size[0], target[1] / size[1])
        return min(size[0], whole(target[0] / ratio)), min(size[1], whole(target[1] / ratio))


def _place(image: Image.Image, view: View, part: Size) -> Box:
    """Return where the part lies in the full picture: it spans one direction, and is moved in the other."""
    ratio = min(1.0, _SIDE / max(view.size))
    small = (whole(view.size[0] * ratio), whole(view.size[1] * ratio))
    found = attention(image.resize(small, Image.Resampling.BOX, box=view.part, reducing_gap=1.0)).convert("F")
    columns, rows = (_numbers(found.resize(side, Image.Resampling.BOX)) for side in ((small[0], 1), (1, small[1])))
    left = round(_best(columns, part[0] / view.size[0]) * (view.size[0] - part[0]))
    top = round(_best(rows, part[1] / view.size[1]) * (view.size[1] - part[1]))
    return left, top, left + part[0], top + part[1]


def attention(image: Image.Image) -> Image.Image:
    """Return how much each pixel of a small picture draws the eye (L).

    It is the sum of edges, saturation and skin, as in smartcrop.js by J. Wagner and in libvips: edges by a Laplacian of
    the luma; saturation as in HSV, times value; skin by 77 <= Cb <= 127 and 133 <= Cr <= 173 (D. Chai, K. N. Ngan: Face
    segmentation using skin-color map in videophone applications, 1999), times half of the luma. Transparent pixels do
    not count.
    """
    colours = image.convert("RGB")
    luma, blue, red = colours.convert("YCbCr").split()
    _, saturation, value = colours.convert("HSV").split()
    edges = ImageChops.difference(luma, luma.filter(ImageFilter.BoxBlur(1))).point(_EDGES)
    vivid = ImageChops.multiply(saturation.point(_VIVID), value)
    skin = ImageChops.multiply(blue.point(_mask(_SKIN_BLUE, 255)), red.point(_mask(_SKIN_RED, 128)))
    found = ImageChops.add(ImageChops.add(edges, vivid), ImageChops.multiply(skin, luma))
    return ImageChops.multiply(found, image.getchannel("A")) if image.mode == "RGBA" else found


def _mask(levels: range, opacity: int) -> list[int]:
    return [opacity if level in levels else 0 for level in range(256)]


def _numbers(line: Image.Image) -> list[float]:
    return [each[0] for each in struct.iter_unpack("=f", line.tobytes())]


def _best(profile: Sequence[float], share: float) -> float:
    """Return how far the part is moved, from 0 to 1, so that its middle has the most attention; centred if in doubt."""
    length = min(len(profile), whole(len(profile) * share))
    most = len(profile) - length
    weights = [1 - ((2 * index + 1) / length - 1) ** 2 for index in range(length)]

    def rank(start: int) -> tuple[float, float]:
        found = sum(weight * each for weight, each in zip(weights, profile[start : start + length], strict=True))
        return round(found, 2), -abs(start - most / 2)

    return max(range(most + 1), key=rank) / most if most else 0.5
