"""Automatic levels: a dull picture uses the whole range afterwards."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded, scene

DULL = scene(120, 80).point(lambda level: 80 + level * 0.3)
"""A scene of little contrast, as in fog."""


def test_a_dull_picture_gets_the_whole_range() -> None:
    lowest, highest = zip(*applied(DULL, "auto_levels").getextrema(), strict=True)  # type: ignore[arg-type]
    assert (min(lowest), max(highest)) == (0, 255)


def test_colours_keep_their_proportions_unless_a_tint_is_removed() -> None:
    tinted = Image.merge(
        "RGB",
        [
            channel.point(lambda level, by=by: level * by)
            for channel, by in zip(DULL.split(), (1, 0.8, 0.6), strict=True)
        ],
    )
    assert difference(applied(tinted, "auto_levels"), applied(DULL, "auto_levels")) > 20
    assert difference(applied(tinted, "auto_levels", balance=True), applied(DULL, "auto_levels", balance=True)) < 5


def test_few_extreme_pixels_are_ignored() -> None:
    sprinkled = DULL.copy()
    sprinkled.putpixel((0, 0), (0, 0, 0))
    sprinkled.putpixel((1, 0), (255, 255, 255))
    assert difference(applied(sprinkled, "auto_levels", ignored=0), sprinkled) == 0
    assert difference(applied(sprinkled, "auto_levels"), applied(DULL, "auto_levels")) < 1


@pytest.mark.parametrize("grey", [0, 99, 255])
def test_a_picture_of_one_level_stays(grey: int) -> None:
    flat = Image.new("RGB", (9, 9), (grey, grey, grey))
    assert difference(applied(flat, "auto_levels", balance=True), flat) == 0


def test_transparency_stays_and_invisible_pixels_do_not_count() -> None:
    assert difference(applied(faded(), "auto_levels").getchannel("A"), faded().getchannel("A")) == 0
    dull = DULL.convert("RGBA")
    with_extremes = dull.copy()
    with_extremes.paste((0, 0, 0, 0), (0, 0, 60, 40))
    visible = (60, 40, 120, 80)
    dull.paste((*DULL.getpixel((90, 60)), 255), (0, 0, 60, 40))  # type: ignore[misc]
    assert (
        difference(
            applied(with_extremes, "auto_levels", ignored=0).crop(visible),
            applied(dull, "auto_levels", ignored=0).crop(visible),
        )
        == 0
    )
    assert applied(Image.new("RGBA", (3, 3)), "auto_levels").getextrema() == ((0, 0),) * 4


def test_the_same_picture_gives_the_same_result() -> None:
    assert applied(DULL, "auto_levels").tobytes() == applied(DULL, "auto_levels").tobytes()


def test_more_than_a_fifth_cannot_be_ignored() -> None:
    assert "ignored" in refused("auto_levels", ignored=21)
