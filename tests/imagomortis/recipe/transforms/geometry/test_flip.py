"""Flip: mirrored pixels, and back again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, quarters, scene


def test_horizontally_left_and_right_change_places() -> None:
    assert applied(quarters(), "flip").getpixel((0, 0)) == (0, 255, 0)


def test_vertically_top_and_bottom_change_places() -> None:
    assert applied(quarters(), "flip", direction="vertical").getpixel((0, 0)) == (0, 0, 255)


@given(direction=st.sampled_from(["horizontal", "vertical"]), width=st.integers(1, 50), height=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_twice_changes_nothing(direction: str, width: int, height: int) -> None:
    image = scene(max(width, 2), max(height, 2), seed=width)
    once = applied(image, "flip", direction=direction)
    assert difference(applied(once, "flip", direction=direction), image) == 0


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_transparency_is_mirrored_too(direction: str) -> None:
    image = faded()
    twice = applied(applied(image, "flip", direction=direction), "flip", direction=direction)
    assert difference(twice, image) == 0
