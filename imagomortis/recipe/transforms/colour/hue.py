"""Turns the colours of the picture around the colour wheel."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colour.mixing import Row, mixed
from imagomortis.recipe.transforms.step import Context, Step, slider


class Hue(Step):
    """An angle around the colour wheel; greys stay, and colours stay about as bright as they look."""

    transform: Literal["hue"] = "hue"
    angle: float = Field(
        ge=-360,
        le=360,
        description="degrees; 120 turns red into green, and 180 gives the opposite colours",
        examples=[30],
        json_schema_extra=slider(-180, 180, 1, "°"),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Turn the colours about the axis of greys, as hueRotate does (W3C Filter Effects, feColorMatrix)."""
        return image if self.angle % 360 == 0 else mixed(image, _turn(math.radians(self.angle)))


def _turn(angle: float) -> tuple[Row, Row, Row]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return (
        (
            0.213 + cosine * 0.787 - sine * 0.213,
            0.715 - cosine * 0.715 - sine * 0.715,
            0.072 - cosine * 0.072 + sine * 0.928,
        ),
        (
            0.213 - cosine * 0.213 + sine * 0.143,
            0.715 + cosine * 0.285 + sine * 0.140,
            0.072 - cosine * 0.072 - sine * 0.283,
        ),
        (
            0.213 - cosine * 0.213 - sine * 0.787,
            0.715 - cosine * 0.715 + sine * 0.715,
            0.072 + cosine * 0.928 + sine * 0.072,
        ),
    )
