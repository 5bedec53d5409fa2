"""The transforms: pure functions from picture to picture, one small module each, registered by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from imagomortis.recipe.transforms.auto_orient import AutoOrient
from imagomortis.recipe.transforms.blur import Blur
from imagomortis.recipe.transforms.border import Border
from imagomortis.recipe.transforms.brightness import Brightness
from imagomortis.recipe.transforms.circles import Circles
from imagomortis.recipe.transforms.contrast import Contrast
from imagomortis.recipe.transforms.crop import Crop
from imagomortis.recipe.transforms.encode import Encode
from imagomortis.recipe.transforms.flip import Flip
from imagomortis.recipe.transforms.grayscale import Grayscale
from imagomortis.recipe.transforms.resize import Resize
from imagomortis.recipe.transforms.rotate import Rotate
from imagomortis.recipe.transforms.saturation import Saturation
from imagomortis.recipe.transforms.sharpen import Sharpen
from imagomortis.recipe.transforms.step import REGISTRY, Context, Length, Step, Transform
from imagomortis.recipe.transforms.strip_metadata import StripMetadata
from imagomortis.recipe.transforms.watermark import Watermark

__all__ = ["TRANSFORMS", "AnyStep", "Context", "Encode", "Length", "Step", "StripMetadata", "Transform"]

AnyStep = Annotated[
    Circles
    | Resize
    | Crop
    | Rotate
    | Flip
    | Blur
    | Sharpen
    | Grayscale
    | Brightness
    | Contrast
    | Saturation
    | Watermark
    | Border
    | AutoOrient
    | StripMetadata
    | Encode,
    Field(discriminator="transform"),
]
"""A step of any kind, told apart by the name of its transform."""

TRANSFORMS: Final[Mapping[str, Transform]] = MappingProxyType(REGISTRY)
"""Every transform by its name."""
