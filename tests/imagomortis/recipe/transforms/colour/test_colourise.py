"""Colourise: a duotone of two colours."""

from __future__ import annotations

from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, scene

TWO = {"shadows": "#102030", "highlights": "#f0e0d0"}


def test_black_and_white_become_the_two_colours_and_grey_lies_between() -> None:
    three = Image.new("RGB", (3, 1))
    three.putdata([(0, 0, 0), (128, 128, 128), (255, 255, 255)])
    made = applied(three, "colourise", **TWO)
    assert [made.getpixel((x, 0)) for x in range(3)] == [(0x10, 0x20, 0x30), (128, 128, 128), (0xF0, 0xE0, 0xD0)]


def test_half_of_it_lies_between_and_none_changes_nothing() -> None:
    image = scene(60, 40)
    full, half = applied(image, "colourise", **TWO), applied(image, "colourise", amount=0.5, **TWO)
    assert difference(half, Image.blend(image, full, 0.5)) < 1
    assert difference(applied(image, "colourise", amount=0, **TWO), image) == 0


def test_transparency_stays() -> None:
    made = applied(faded(), "colourise", amount=0.5)
    assert difference(made.getchannel("A"), faded().getchannel("A")) == 0


def test_colours_are_written_in_hexadecimal_digits() -> None:
    assert "shadows" in refused("colourise", shadows="navy")
