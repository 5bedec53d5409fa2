"""The transforms: pure functions from picture to picture, one small module each, registered by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from imagomortis.transforms.auto_orient import AutoOrient
from imagomortis.transforms.blur import Blur
from imagomortis.transforms.border import Border
from imagomortis.transforms.brightness import Brightness
from imagomortis.transforms.circles import Circles
from imagomortis.transforms.contrast import Contrast
from imagomortis.transforms.crop import Crop
from imagomortis.transforms.encode import Encode
from imagomortis.transforms.flip import Flip
from imagomortis.transforms.grayscale import Grayscale
from imagomortis.transforms.resize import Resize
from imagomortis.transforms.rotate import Rotate
from imagomortis.transforms.saturation import Saturation
from imagomortis.transforms.sharpen import Sharpen
from imagomortis.transforms.step import REGISTRY, Context, Length, Step, Transform
from imagomortis.transforms.strip_metadata import StripMetadata
from imagomortis.transforms.watermark import Watermark

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
