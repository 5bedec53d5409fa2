"""Crop: rectangles by sides, proportions and places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagomortis.errors import TransformFailed
from imagomortis.recipe.recipe import Recipe
from tests.imagomortis.recipe.transforms.applying import applied, made, recipe
from tests.support.pictures import difference, quarters

WIDE = Image.new("RGB", (300, 200))


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"width": "50%"}, (150, 200)),
        ({"width": "100px", "height": "40px"}, (100, 40)),
        ({"width": "900px", "height": "10%"}, (300, 20)),
        ({"aspect": "1:1"}, (200, 200)),
        ({"aspect": "16:9"}, (300, 169)),
        ({"aspect": "1:9999"}, (1, 200)),
    ],
)
def test_the_result_has_the_requested_size(parameters: dict[str, Any], size: tuple[int, int]) -> None:
    assert applied(WIDE, "crop", **parameters).size == size


@pytest.mark.parametrize(
    ("position", "colour"),
    [
        ("top-left", (255, 0, 0)),
        ("top-right", (0, 255, 0)),
        ("bottom-left", (0, 0, 255)),
        ("bottom-right", (255, 255, 0)),
    ],
)
def test_a_place_picks_its_quarter(position: str, colour: tuple[int, int, int]) -> None:
    quarter = applied(quarters(), "crop", width="50%", height="50%", position=position)
    assert quarter.getcolors() == [(32 * 24, colour)]


def test_the_middle_stays_by_default() -> None:
    assert difference(applied(quarters(64, 48), "crop", width="50%", height="50%"), quarters(32, 24)) == 0


def test_distances_from_the_edges_are_kept() -> None:
    part = applied(quarters(), "crop", width="10px", height="10px", x="32px", y="50%")
    assert part.getcolors() == [(100, (255, 255, 0))]


def test_a_rectangle_over_the_edge_moves_back_into_the_picture() -> None:
    part = applied(quarters(), "crop", width="50%", height="50%", x="90%", y="90%")
    assert part.getcolors() == [(32 * 24, (255, 255, 0))]


def test_a_rectangle_beyond_the_picture_fails_by_its_step() -> None:
    with pytest.raises(TransformFailed, match=r"Step 1 \(crop\) failed: .* outside of the picture of 300 x 200"):
        made(WIDE, recipe("crop", width="10px", x="400px"))


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    x=st.integers(0, 299),
    y=st.integers(0, 199),
)
@settings(max_examples=60, deadline=None)
def test_every_rectangle_that_begins_inside_can_be_cut(width: int, height: int, x: int, y: int) -> None:
    result = applied(WIDE, "crop", width=width, height=height, x=x, y=y)
    assert result.size == (min(width, 300), min(height, 200))


def test_a_crop_in_pixels_shows_the_same_part_in_a_preview() -> None:
    whole = applied(quarters(128, 96), "crop", width="64px", height="48px", x="32px", y="24px")
    half = applied(quarters(64, 48), "crop", width="64px", height="48px", x="32px", y="24px", scale=0.5)
    assert difference(whole.resize(half.size, Image.Resampling.NEAREST), half) == 0


def test_cropping_all_of_it_changes_nothing() -> None:
    everything = Recipe.parse({"steps": [{"transform": "crop", "width": "100%", "height": "100%"}]})
    assert difference(made(quarters(), everything), quarters()) == 0
