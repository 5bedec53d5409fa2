"""Rotate: quarters without loss, other angles with smooth edges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, levels, pixel, quarters, scene


def test_ninety_degrees_are_clockwise() -> None:
    turned = applied(quarters(64, 48), "rotate", angle=90)
    assert turned.size == (48, 64)
    assert turned.getpixel((0, 0)) == (0, 0, 255)
    assert turned.getpixel((47, 0)) == (255, 0, 0)


@pytest.mark.parametrize("angle", [0, 360, -360])
def test_a_full_turn_changes_nothing(angle: float) -> None:
    assert difference(applied(quarters(), "rotate", angle=angle), quarters()) == 0


@given(quarter=st.sampled_from([-270, -180, -90, 90, 180, 270]), width=st.integers(1, 40), height=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_quarter_and_back_changes_nothing(quarter: int, width: int, height: int) -> None:
    image = scene(max(width, 2), max(height, 2))
    assert difference(applied(applied(image, "rotate", angle=quarter), "rotate", angle=-quarter), image) == 0


@given(angle=st.floats(-360, 360), width=st.integers(1, 60), height=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_any_angle_gives_the_planned_size(angle: float, width: int, height: int) -> None:
    applied(Image.new("RGB", (width, height)), "rotate", angle=angle)


def test_the_whole_picture_stays_visible_when_it_expands() -> None:
    turned = applied(Image.new("RGB", (200, 100), "#ff0000"), "rotate", angle=30, background="#000000")
    red = sum(levels(turned)) / 255
    assert red == pytest.approx(200 * 100, rel=0.01)


def test_the_size_stays_without_expanding() -> None:
    assert applied(quarters(64, 48), "rotate", angle=45, expand=False).size == (64, 48)
    assert applied(quarters(64, 48), "rotate", angle=90, expand=False).size == (64, 48)


def test_the_background_fills_the_corners() -> None:
    turned = applied(quarters(), "rotate", angle=45, background="#123456")
    assert turned.getpixel((0, 0)) == (0x12, 0x34, 0x56)


def test_a_transparent_background_gives_an_alpha_channel() -> None:
    turned = applied(quarters(), "rotate", angle=45, background="transparent")
    assert turned.mode == "RGBA"
    assert pixel(turned, 0, 0)[3] == 0
    assert pixel(turned, turned.width // 2, turned.height // 2)[3] == 255


def test_edges_are_smooth() -> None:
    turned = applied(Image.new("RGB", (100, 100)), "rotate", angle=20, background="#ffffff")
    assert sum(20 < level < 235 for level in levels(turned)) > 100


def test_transparency_turns_with_the_picture() -> None:
    turned = applied(faded(), "rotate", angle=180)
    assert difference(turned.getchannel("A"), faded().getchannel("A").rotate(180)) == 0


def test_turning_there_and_back_keeps_the_middle() -> None:
    image = scene(120, 120)
    back = applied(applied(image, "rotate", angle=33, expand=False), "rotate", angle=-33, expand=False)
    middle = (40, 40, 80, 80)
    assert difference(back.crop(middle), image.crop(middle)) < 8
