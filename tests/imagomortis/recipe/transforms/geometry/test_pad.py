"""Pad: room around an unchanged picture."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, quarters


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"aspect": "1:1"}, (64, 64)),
        ({"aspect": "2:1"}, (96, 48)),
        ({"aspect": "4:3"}, (64, 48)),
        ({"width": "100px", "height": "60px"}, (100, 60)),
        ({"width": "10px", "height": "150%"}, (64, 72)),
    ],
)
def test_the_picture_gets_the_size_and_lies_inside(parameters: dict[str, Any], size: tuple[int, int]) -> None:
    made = applied(quarters(64, 48), "pad", colour="#102030", **parameters)
    assert made.size == size
    left, top = (size[0] - 64) // 2, (size[1] - 48) // 2
    assert difference(made.crop((left, top, left + 64, top + 48)), quarters(64, 48)) == 0
    if size != (64, 48):
        assert made.getpixel((size[0] - 1, 0)) == (0x10, 0x20, 0x30) or made.getpixel((0, 0)) == (0x10, 0x20, 0x30)


def test_it_lies_where_it_is_told_to() -> None:
    made = applied(quarters(64, 48), "pad", width=100, height=100, position="bottom-right")
    assert difference(made.crop((36, 52, 100, 100)), quarters(64, 48)) == 0


def test_transparent_room_and_transparent_pictures() -> None:
    made = applied(quarters(), "pad", aspect="1:1", colour="transparent")
    assert made.getpixel((0, 0)) == (0, 0, 0, 0)
    inside = applied(faded(), "pad", aspect="1:1")
    assert difference(inside.crop((0, 8, 64, 56)), faded()) == 0
    assert inside.getpixel((0, 0)) == (255, 255, 255, 255)


def test_pixels_shrink_with_a_preview() -> None:
    assert applied(Image.new("RGB", (50, 50)), "pad", width="400px", scale=0.25).size == (100, 50)


@pytest.mark.parametrize("parameters", [{}, {"aspect": "1:1", "width": 9}])
def test_it_needs_either_sides_or_proportions(parameters: dict[str, Any]) -> None:
    assert 'pad needs either "width", "height" or both, or "aspect" such as "1:1"' in refused("pad", **parameters)


def test_proportions_are_two_whole_numbers() -> None:
    assert "aspect" in refused("pad", aspect="1.5:1")
