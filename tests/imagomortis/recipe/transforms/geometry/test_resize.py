"""Resize: boxes, proportions and lengths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagomortis.recipe.transforms.geometry.resize import Resize
from imagomortis.recipe.transforms.step import Length
from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, pixels, quarters, scene

WIDE = Image.new("RGB", (300, 200))


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"width": "150px"}, (150, 100)),
        ({"height": 50}, (75, 50)),
        ({"width": "50%"}, (150, 100)),
        ({"width": "100px", "height": "100px"}, (100, 67)),
        ({"width": "100px", "height": "100px", "fit": "cover"}, (100, 100)),
        ({"width": "100px", "height": "10px", "fit": "exact"}, (100, 10)),
        ({"width": "600px"}, (300, 200)),
        ({"width": "600px", "enlarge": True}, (600, 400)),
        ({"width": "200%", "height": "200%", "fit": "exact"}, (600, 400)),
        ({"width": "0.1%"}, (1, 1)),
    ],
)
def test_the_result_has_the_size_that_the_box_gives(parameters: dict[str, Any], size: tuple[int, int]) -> None:
    assert applied(WIDE, "resize", **parameters).size == size


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    box=st.tuples(st.integers(1, 400), st.integers(1, 400)),
)
@settings(max_examples=60, deadline=None)
def test_contain_lies_within_the_box_and_keeps_the_proportions(size: tuple[int, int], box: tuple[int, int]) -> None:
    step = Resize(width=Length(box[0], "px"), height=Length(box[1], "px"))
    result = step.resized(size, 1.0)
    assert result[0] <= max(1, box[0])
    assert result[1] <= max(1, box[1])
    assert abs(result[0] * size[1] - result[1] * size[0]) <= max(size)


def test_cover_cuts_both_ends_alike() -> None:
    result = applied(quarters(64, 32), "resize", width="32px", height="32px", fit="cover")
    assert difference(result, quarters(32, 32)) < 6


def test_cover_keeps_the_part_that_is_asked_for() -> None:
    left = applied(quarters(64, 32), "resize", width="16px", height="32px", fit="cover", position="left")
    assert left.getpixel((15, 2)) == (255, 0, 0)


def test_a_smaller_picture_still_shows_the_scene() -> None:
    small = applied(scene(400, 300), "resize", width="25%")
    assert difference(small.resize((400, 300)), scene(400, 300)) < 12


def test_transparent_pixels_do_not_bleed_their_colour() -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    edge = applied(image, "resize", width="50%")
    assert all(each[0] < 20 for each in pixels(edge) if each[3] > 20)


def test_a_box_in_pixels_shrinks_with_a_preview() -> None:
    assert applied(Image.new("RGB", (75, 50)), "resize", width="150px", scale=0.25).size == (38, 25)
