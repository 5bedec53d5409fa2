"""Blur and pixelate: they change their rectangle only."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imagomortis.errors import TransformFailed
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.transforms import TRANSFORMS
from tests.imagomortis.recipe.transforms.applying import applied, recipe, refused
from tests.support.pictures import difference, faded, quarters, scene

CHANGING: list[dict[str, Any]] = [{"transform": "blur", "radius": "4px"}, {"transform": "pixelate", "size": "8px"}]
RECTANGLE = {"x": "25%", "y": "20px", "width": "50%", "height": "30px"}


@pytest.mark.parametrize("step", CHANGING)
@pytest.mark.parametrize("image", [scene(160, 100), faded(160, 100)], ids=["RGB", "RGBA"])
def test_only_the_rectangle_changes(step: dict[str, Any], image: Image.Image) -> None:
    changed = applied(image, **step, **RECTANGLE)
    inside = (40, 20, 120, 50)
    assert difference(changed.crop(inside).convert("RGB"), image.crop(inside).convert("RGB")) > 1
    outside = image.copy()
    outside.paste(changed.crop(inside), inside)
    assert difference(changed, outside) == 0


@pytest.mark.parametrize("step", CHANGING)
def test_a_rectangle_over_the_edge_is_cut_and_one_outside_is_refused(step: dict[str, Any]) -> None:
    corner = applied(scene(100, 60), **step, x="90px", y="50px", width="80px", height="80px")
    assert difference(corner.crop((0, 0, 90, 60)), scene(100, 60).crop((0, 0, 90, 60))) == 0
    with pytest.raises(TransformFailed, match="outside of the picture of 100 x 60 pixels; choose a smaller x or y"):
        applied(scene(100, 60), **step, x="100px")


@pytest.mark.parametrize("step", CHANGING)
def test_a_rectangle_that_is_the_whole_picture_is_not_stored(step: dict[str, Any]) -> None:
    """Recipes that were stored before there were rectangles keep their digest."""
    whole = Recipe.parse({"steps": [{**step, "x": "0%", "y": "0.0%", "width": "100%", "height": "100%"}]})
    assert whole.digest == Recipe.parse({"steps": [step]}).digest
    assert "width" not in whole.canonical


def test_the_editor_shows_the_rectangle_after_the_strength() -> None:
    for transform, first in (("blur", "radius"), ("pixelate", "size")):
        fields = list(TRANSFORMS[transform].model_json_schema()["properties"])
        assert fields == ["transform", first, "x", "y", "width", "height"]


def test_pixels_become_squares_of_their_average() -> None:
    made = applied(quarters(64, 48), "pixelate", size="16px")
    assert made.getcolors() is not None
    assert made.resize((4, 3), Image.Resampling.NEAREST).resize((64, 48), Image.Resampling.NEAREST) == made
    assert applied(quarters(64, 48), "pixelate", size="999%").getcolors() == [(64 * 48, (128, 128, 64))]


def test_invisible_colours_do_not_shine_through_squares() -> None:
    image = Image.new("RGBA", (20, 10), (255, 0, 0, 255))
    image.paste((0, 255, 0, 0), (10, 0, 20, 10))
    assert applied(image, "pixelate", size="999%").getpixel((0, 0)) in {(255, 0, 0, 127), (255, 0, 0, 128)}


def test_squares_shrink_with_a_preview() -> None:
    large = applied(scene(160, 100), "pixelate", size="20px").resize((80, 50), Image.Resampling.NEAREST)
    small = scene(160, 100).resize((80, 50), Image.Resampling.BOX)
    assert difference(applied(small, "pixelate", size="20px", scale=0.5), large) < 2


def test_lengths_are_written_as_lengths() -> None:
    assert recipe("pixelate").digest != recipe("pixelate", size="5%").digest
    assert "a length is written as" in refused("pixelate", width="wide")
