"""Round corners: what lies outside of them, and what stays."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, quarters


def test_corners_become_transparent_and_the_rest_stays() -> None:
    made = applied(quarters(64, 48), "round_corners", radius="12px")
    alpha = made.getchannel("A")
    assert [alpha.getpixel(at) for at in ((0, 0), (63, 0), (0, 47), (63, 47))] == [0, 0, 0, 0]
    middle = (12, 0, 52, 48)
    assert difference(made.crop(middle).convert("RGB"), quarters(64, 48).crop(middle)) == 0
    assert alpha.crop((0, 12, 64, 36)).getextrema() == (255, 255)


def test_all_four_corners_are_alike_and_smooth() -> None:
    alpha = applied(Image.new("RGB", (80, 80)), "round_corners", radius="50%").getchannel("A")
    for turn in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_90):
        assert difference(alpha.transpose(turn), alpha) == 0
    # a circle of radius 40, to a pixel of its rim
    assert sum(alpha.tobytes()) / 255 == pytest.approx(3.14159 * 40**2, rel=0.01)
    assert len(set(alpha.tobytes())) > 4


def test_a_colour_fills_the_corners() -> None:
    made = applied(quarters(64, 48), "round_corners", radius="12px", background="#102030")
    assert (made.mode, made.getpixel((0, 0))) == ("RGB", (0x10, 0x20, 0x30))


def test_what_was_transparent_stays_so() -> None:
    made, before = applied(faded(), "round_corners", radius="10%").getchannel("A"), faded().getchannel("A")
    assert all(one <= other for one, other in zip(made.tobytes(), before.tobytes(), strict=True))


def test_no_radius_and_too_large_a_radius() -> None:
    assert difference(applied(quarters(), "round_corners", radius=0), quarters()) == 0
    one, other = (applied(quarters(), "round_corners", radius=radius) for radius in ("50%", "999%"))
    assert difference(one, other) == 0
    assert applied(Image.new("RGB", (1, 1)), "round_corners", radius="50%").size == (1, 1)
    assert "background" in refused("round_corners", background="none")
