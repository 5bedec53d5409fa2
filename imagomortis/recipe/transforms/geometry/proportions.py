"""Reads proportions such as 16:9."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagomortis.recipe.transforms.step import Size, whole

Aspect = Annotated[str, Field(pattern="^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")]
"""Width and height in proportion to each other."""


def within(size: Size, aspect: str) -> Size:
    """Return the largest size of these proportions that fits into a picture."""
    across, down = _numbers(aspect)
    ratio = min(size[0] / across, size[1] / down)
    return min(size[0], whole(across * ratio)), min(size[1], whole(down * ratio))


def around(size: Size, aspect: str) -> Size:
    """Return the smallest size of these proportions into which a picture fits."""
    across, down = _numbers(aspect)
    ratio = max(size[0] / across, size[1] / down)
    return max(size[0], whole(across * ratio)), max(size[1], whole(down * ratio))


def _numbers(aspect: str) -> tuple[int, int]:
    across, down = aspect.split(":")
    return int(across), int(down)
