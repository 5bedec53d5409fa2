"""Border: a frame around an unchanged picture."""

from __future__ import annotations

from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, quarters


def test_the_picture_grows_on_every_side_and_stays_inside() -> None:
    framed = applied(quarters(64, 48), "border", width="5px", colour="#102030")
    assert framed.size == (74, 58)
    assert framed.getpixel((4, 4)) == (0x10, 0x20, 0x30)
    assert difference(framed.crop((5, 5, 69, 53)), quarters(64, 48)) == 0


def test_a_percentage_is_of_the_shorter_side() -> None:
    assert applied(quarters(200, 100), "border", width="10%").size == (220, 120)


def test_no_width_is_no_border() -> None:
    assert applied(quarters(), "border", width=0).size == quarters().size


def test_a_transparent_border_gives_an_alpha_channel() -> None:
    framed = applied(quarters(), "border", width="5px", colour="transparent")
    assert framed.getpixel((0, 0)) == (0, 0, 0, 0)


def test_transparency_inside_stays() -> None:
    framed = applied(faded(), "border", width="5px", colour="#ffffff")
    assert difference(framed.crop((5, 5, 69, 53)), faded()) == 0
    assert framed.getpixel((0, 0)) == (255, 255, 255, 255)


def test_pixels_shrink_with_a_preview() -> None:
    assert applied(Image.new("RGB", (100, 100)), "border", width="40px", scale=0.25).size == (120, 120)
