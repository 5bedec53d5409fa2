"""Exposure, highlights, shadows and temperature: what they do to levels, and what they leave alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, scene

TONES = [("exposure", "stops"), ("highlights", "amount"), ("shadows", "amount"), ("temperature", "amount")]


def curve(transform: str, **parameters: Any) -> list[int]:
    """Return what a transform makes of the greys from black to white."""
    ramp = Image.frombytes("L", (256, 1), bytes(range(256))).convert("RGB")
    return list(applied(ramp, transform, **parameters).getchannel("G").tobytes())


@pytest.mark.parametrize(("transform", "field"), TONES)
def test_zero_changes_nothing(transform: str, field: str) -> None:
    assert difference(applied(scene(60, 40), transform, **{field: 0}), scene(60, 40)) == 0


@pytest.mark.parametrize(("transform", "field"), TONES)
def test_transparency_stays(transform: str, field: str) -> None:
    changed = applied(faded(), transform, **{field: 1})
    assert difference(changed.getchannel("A"), faded().getchannel("A")) == 0


@pytest.mark.parametrize("transform", ["highlights", "shadows"])
@pytest.mark.parametrize("amount", [-1, -0.5, 0.5, 1])
def test_black_white_and_the_order_of_levels_stay(transform: str, amount: float) -> None:
    levels = curve(transform, amount=amount)
    assert (levels[0], levels[255]) == (0, 255)
    assert all(one <= other for one, other in pairwise(levels))


def test_a_stop_doubles_the_light() -> None:
    # 18 % grey and 36 % grey in sRGB
    assert curve("exposure", stops=1)[118] == pytest.approx(162, abs=1)
    assert curve("exposure", stops=-1)[162] == pytest.approx(118, abs=1)


def test_shadows_change_dark_levels_and_highlights_bright_ones() -> None:
    for transform, changed, kept in [("shadows", 48, 224), ("highlights", 207, 31)]:
        for amount in (-0.8, 0.8):
            levels = curve(transform, amount=amount)
            assert (levels[changed] - changed) * amount > 8
            assert abs(levels[kept] - kept) <= 1


@pytest.mark.parametrize("amount", [-0.8, 0.8])
def test_a_temperature_moves_red_and_blue_apart_and_keeps_the_luminance(amount: float) -> None:
    grey = Image.new("RGB", (1, 1), (128, 128, 128))
    made = applied(grey, "temperature", amount=amount)
    red, _, blue = made.tobytes()
    assert (red - blue) * amount > 20
    luminance = applied(made, "grayscale").getpixel((0, 0))
    assert isinstance(luminance, tuple)
    assert luminance[0] == pytest.approx(128, abs=3)
