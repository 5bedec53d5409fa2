"""Gamma: middle tones change, black and white stay."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, scene


def test_middle_grey_becomes_brighter_and_the_ends_stay() -> None:
    ramp = Image.frombytes("L", (256, 1), bytes(range(256))).convert("RGB")
    levels = applied(ramp, "gamma", gamma=2).getchannel("R").tobytes()
    assert (levels[0], levels[64], levels[255]) == (0, 128, 255)
    assert list(levels) == sorted(levels)


def test_1_changes_nothing_and_transparency_stays() -> None:
    assert difference(applied(scene(60, 40), "gamma", gamma=1), scene(60, 40)) == 0
    assert difference(applied(faded(), "gamma", gamma=3).getchannel("A"), faded().getchannel("A")) == 0


@pytest.mark.parametrize("gamma", [0, -1, 11, "2", None])
def test_other_values_are_refused(gamma: object) -> None:
    assert "Step 1 (gamma), gamma: " in refused("gamma", gamma=gamma)
