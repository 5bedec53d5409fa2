"""Turns the picture upright, by its camera's orientation."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image
from pydantic import ConfigDict

from imagomortis.recipe.transforms.step import HIDDEN, Context, Size, Step


class AutoOrient(Step):
    """Upright by the orientation that the camera noted; every picture is turned so before the first step anyway."""

    model_config = ConfigDict(json_schema_extra=HIDDEN)

    transform: Literal["auto_orient"] = "auto_orient"

    def surplus(self, _size: Size) -> float:
        """Return infinity: the step looks at no pixel."""
        return math.inf

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Return the picture unchanged: decoding has turned it, so that steps refer to the sides that people see."""
        return image
