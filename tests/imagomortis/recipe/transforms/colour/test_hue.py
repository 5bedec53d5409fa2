"""Hue: colours turn around the wheel."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, scene


def turned(pixel: tuple[int, int, int], angle: float) -> tuple[int, ...]:
    """Return one pixel after its hue was turned."""
    return tuple(applied(Image.new("RGB", (1, 1), pixel), "hue", angle=angle).tobytes())


def test_a_third_of_the_wheel_turns_red_into_green_and_then_into_blue() -> None:
    red = (150, 100, 100)
    assert max(range(3), key=turned(red, 120).__getitem__) == 1
    assert max(range(3), key=turned(red, 240).__getitem__) == 2


@pytest.mark.parametrize("angle", [-170, -30, 45, 180])
def test_greys_stay_and_colours_keep_their_luminance(angle: float) -> None:
    assert turned((77, 77, 77), angle) == pytest.approx((77, 77, 77), abs=1)
    weights = (0.213, 0.715, 0.072)
    pixel = (140, 110, 120)
    before, after = (sum(w * each for w, each in zip(weights, of, strict=True)) for of in (pixel, turned(pixel, angle)))
    assert after == pytest.approx(before, abs=2)


@pytest.mark.parametrize("angle", [0, 360, -360])
def test_a_whole_turn_changes_nothing(angle: float) -> None:
    assert difference(applied(scene(60, 40), "hue", angle=angle), scene(60, 40)) == 0


def test_transparency_stays() -> None:
    assert difference(applied(faded(), "hue", angle=90).getchannel("A"), faded().getchannel("A")) == 0


def test_an_angle_has_bounds() -> None:
    assert "angle" in refused("hue", angle=361)
