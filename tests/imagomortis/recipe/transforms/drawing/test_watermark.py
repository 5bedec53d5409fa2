"""Watermark: a readable text at its place."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, levels, scene

GREY = Image.new("RGB", (400, 300), "#808080")


def marked(image: Image.Image, **parameters: Any) -> tuple[int, int, int, int]:
    """Return the box of what a watermark changes."""
    box = ImageChops.difference(image, applied(image, "watermark", **parameters)).convert("L").getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize(
    ("position", "across", "down"),
    [
        ("top-left", 0, 0),
        ("top", 1, 0),
        ("right", 2, 1),
        ("center", 1, 1),
        ("bottom-left", 0, 2),
        ("bottom-right", 2, 2),
    ],
)
def test_the_text_stands_at_its_place(position: str, across: int, down: int) -> None:
    left, top, right, bottom = marked(GREY, text="Hi", position=position, size="8%")
    assert int((left + right) / 2 // (400 / 3)) == across
    assert int((top + bottom) / 2 // 100) == down


def test_a_long_text_shrinks_until_it_fits() -> None:
    left, top, right, bottom = marked(GREY, text="a very long text indeed " * 8, size="50%")
    assert left > 0
    assert right < 400
    assert top > 0
    assert bottom < 300


def test_larger_letters_take_more_room() -> None:
    small, large = marked(GREY, text="Hi", size="5%"), marked(GREY, text="Hi", size="15%")
    assert (large[3] - large[1]) > 2 * (small[3] - small[1])


def test_lines_stand_below_each_other() -> None:
    one, two = marked(GREY, text="Hi"), marked(GREY, text="Hi\nHi")
    assert (two[3] - two[1]) > 1.8 * (one[3] - one[1])


@pytest.mark.parametrize("background", ["#000000", "#ffffff", "#808080"])
def test_it_can_be_read_on_light_and_on_dark(background: str) -> None:
    image = Image.new("RGB", (400, 300), background)
    result = applied(image, "watermark", text="ImagoMortis", size="15%")
    shown = levels(result.convert("L"))
    assert max(shown) - min(shown) > 80


def test_less_opacity_changes_less() -> None:
    faint, strong = (applied(GREY, "watermark", text="Hi", opacity=opacity) for opacity in (0.1, 0.9))
    assert 0 < difference(faint, GREY) < difference(strong, GREY)


def test_only_the_text_s_surroundings_change() -> None:
    image = scene(400, 300)
    top = (0, 0, 400, 200)
    assert difference(applied(image, "watermark", text="Hi").crop(top), image.crop(top)) == 0


def test_it_shows_on_transparent_pictures() -> None:
    clear = applied(Image.new("RGBA", (400, 300)), "watermark", text="Hi", opacity=1)
    assert clear.getchannel("A").getextrema() == (0, 255)


def test_a_picture_of_one_pixel_survives() -> None:
    assert applied(Image.new("RGB", (1, 1)), "watermark", text="far too long").size == (1, 1)


def test_other_scripts_have_letters() -> None:
    """The font covers more than ASCII: each of these differs from the box that stands for a missing letter."""
    missing = applied(GREY, "watermark", text="\U0010fffd" * 3, size="20%")
    for text in ("Ünï", "Жук", "αβγ"):
        assert difference(applied(GREY, "watermark", text=text, size="20%"), missing) > 0.1
