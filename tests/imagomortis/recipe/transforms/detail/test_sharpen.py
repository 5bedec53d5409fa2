"""Sharpen: more detail where there is an edge."""

from __future__ import annotations

from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied
from tests.imagomortis.recipe.transforms.detail.test_blur import detail
from tests.support.pictures import difference, faded, quarters, scene


def test_detail_grows_with_the_amount() -> None:
    image = scene(200, 150)
    details = [detail(applied(image, "sharpen", radius="1%", amount=amount)) for amount in (0.5, 1.5, 4)]
    assert detail(image) < details[0] < details[1] < details[2]


def test_an_amount_of_zero_changes_nothing() -> None:
    assert difference(applied(scene(60, 40), "sharpen", amount=0), scene(60, 40)) == 0


def test_flat_parts_stay() -> None:
    assert applied(quarters(), "sharpen", amount=5, radius="1px").getpixel((5, 5)) == (255, 0, 0)


def test_transparency_stays() -> None:
    sharp = applied(faded(), "sharpen", amount=3, radius="2%")
    assert difference(sharp.getchannel("A"), faded().getchannel("A")) == 0


def test_an_edge_to_what_is_transparent_is_no_edge_of_colours() -> None:
    image = Image.new("RGBA", (80, 40), (0, 0, 0, 0))
    image.paste((150, 100, 60, 255), (0, 0, 40, 40))
    sharp = applied(image, "sharpen", amount=3, radius="3px", threshold=0)
    assert all(
        abs(sharp.getpixel((x, 20))[channel] - level) < 4
        for x in range(40)
        for channel, level in enumerate((150, 100, 60))
    )
