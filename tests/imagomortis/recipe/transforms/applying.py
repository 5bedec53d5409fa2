"""Applies one step to a picture, by way of a recipe as a person writes it."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imagomortis.errors import InvalidRecipe
from imagomortis.picture.header import Limits
from imagomortis.recipe.chain import Progress
from imagomortis.recipe.recipe import Recipe

SEED = bytes(32)


def recipe(transform: str, **parameters: Any) -> Recipe:
    """Return a recipe of one step."""
    return Recipe.parse({"steps": [{"transform": transform, **parameters}]})


def made(image: Image.Image, of: Recipe, seed: bytes = SEED, progress: Progress | None = None) -> Image.Image:
    """Return what a recipe's steps make of a copy of a picture."""
    return of.common.apply(image.copy(), seed, of.tracker(progress))


def applied(
    image: Image.Image, transform: str, *, scale: float = 1.0, seed: bytes = SEED, **parameters: Any
) -> Image.Image:
    """Return what one step makes of a copy of a picture, after checking that it has the size that was planned."""
    single = recipe(transform, **parameters)
    result = single.common.apply(image.copy(), seed, single.tracker(), scale)
    assert single.common.plan(image.size, Limits(), scale)[-1] == result.size
    assert result.mode in {"RGB", "RGBA"}
    return result


def refused(transform: str, **parameters: Any) -> str:
    """Return why a recipe of this step is not valid."""
    with pytest.raises(InvalidRecipe) as error:
        recipe(transform, **parameters)
    return error.value.detail
