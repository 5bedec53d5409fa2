"""Blur: less detail, same brightness."""

from __future__ import annotations

from PIL import Image, ImageStat

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, scene


def detail(image: Image.Image) -> float:
    """Return how much neighbouring pixels differ."""
    return difference(image.crop((1, 0, image.width, image.height)), image.crop((0, 0, image.width - 1, image.height)))


def test_detail_gets_less_with_the_radius() -> None:
    image = scene(200, 150)
    details = [detail(applied(image, "blur", radius=radius)) for radius in ("0.5%", "2%", "8%")]
    assert detail(image) > details[0] > details[1] > details[2]


def test_brightness_stays() -> None:
    image = scene(200, 150)
    before, after = ImageStat.Stat(image).mean, ImageStat.Stat(applied(image, "blur", radius="3%")).mean
    assert all(abs(one - other) < 2 for one, other in zip(before, after, strict=True))


def test_a_radius_of_zero_changes_nothing() -> None:
    assert difference(applied(scene(60, 40), "blur", radius=0), scene(60, 40)) == 0


def test_a_radius_beyond_the_picture_makes_it_nearly_flat() -> None:
    assert detail(applied(scene(60, 40), "blur", radius="999%")) < 1


def test_transparency_is_blurred_too() -> None:
    assert applied(faded(), "blur", radius="5%").mode == "RGBA"


def test_a_radius_in_pixels_shrinks_with_a_preview() -> None:
    large, small = scene(400, 300), scene(400, 300).resize((100, 75))
    seen = applied(large, "blur", radius="12px").resize((100, 75))
    assert difference(seen, applied(small, "blur", radius="12px", scale=0.25)) < 2


def test_transparent_pixels_do_not_colour_their_neighbours() -> None:
    image = Image.new("RGBA", (80, 40), (0, 0, 0, 0))
    image.paste((255, 40, 40, 255), (0, 0, 40, 40))
    soft = applied(image, "blur", radius="4px")
    assert 60 < soft.getpixel((41, 20))[3] < 200
    assert all(soft.getpixel((x, 20))[0] > 245 for x in range(45))
