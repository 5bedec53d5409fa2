"""Smart crop: the part with edges, colours and faces stays."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFilter

from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import render
from imagomortis.recipe.transforms.geometry.smart_crop import attention
from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, opened, save, scene

SKIN = (224, 172, 140)


def dull(width: int, height: int) -> Image.Image:
    """Draw a smooth grey sky, in which nothing draws the eye."""
    return Image.linear_gradient("L").resize((width, height)).point(lambda level: 110 + level / 8).convert("RGB")


def detailed(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Draw many grey lines into a box."""
    pen = ImageDraw.Draw(image)
    for x in range(box[0], box[2], 12):
        pen.line((x, box[1], x, box[3]), fill=(60, 60, 60), width=5)
    return image


@pytest.mark.parametrize("at", [20, 150, 280, 420])
@pytest.mark.parametrize("turned", [False, True])
def test_the_part_with_detail_stays(at: int, turned: bool) -> None:
    image = detailed(dull(600, 200), (at, 50, at + 150, 150))
    if turned:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    made = applied(image, "smart_crop", aspect="1:1")
    assert made.size == (200, 200)
    lines = made.convert("L").point(lambda level: 255 * (level < 90))
    assert lines.histogram()[255] == image.convert("L").point(lambda level: 255 * (level < 90)).histogram()[255]


def test_a_face_and_a_vivid_thing_draw_the_eye_more_than_a_wall() -> None:
    for colour in (SKIN, (230, 30, 20)):
        image = dull(600, 200)
        ImageDraw.Draw(image).ellipse((450, 40, 560, 160), fill=colour)
        made = applied(image.filter(ImageFilter.GaussianBlur(4)), "smart_crop", aspect="1:1")
        assert made.getpixel((100, 100)) == pytest.approx(colour, abs=30)


@pytest.mark.parametrize("tone", [(241, 194, 165), SKIN, (198, 134, 96), (141, 85, 54)])
def test_skin_of_every_tone_draws_the_eye(tone: tuple[int, int, int]) -> None:
    grey = round(sum(tone) / 3)
    skin, wall = (attention(Image.new("RGB", (9, 9), colour)) for colour in (tone, (grey,) * 3))
    assert skin.getextrema()[0] > wall.getextrema()[1]  # type: ignore[operator]


def test_a_picture_without_anything_is_cut_in_the_middle() -> None:
    image = Image.new("RGB", (300, 100), (90, 90, 90))
    assert applied(image, "smart_crop", aspect="1:1").size == (100, 100)
    marked = image.copy()
    marked.paste((91, 91, 91), (100, 0, 200, 100))
    assert applied(marked, "smart_crop", aspect="1:1").getextrema() == ((91, 91),) * 3


def test_transparent_detail_does_not_count() -> None:
    image = detailed(detailed(dull(600, 200), (20, 50, 170, 150)), (420, 50, 500, 150)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 300, 200))
    assert applied(image, "smart_crop", aspect="1:1").getchannel("A").getextrema() == (255, 255)


def test_a_size_scales_the_part() -> None:
    image = detailed(dull(600, 200), (420, 50, 560, 150))
    made, part = (applied(image, "smart_crop", **size) for size in ({"width": 50, "height": 50}, {"aspect": "1:1"}))
    assert made.size == (50, 50)
    assert difference(made, part.resize((50, 50), Image.Resampling.LANCZOS)) < 1
    assert applied(image, "smart_crop", width=50, height=50, scale=0.5).size == (25, 25)


def test_a_small_result_is_made_of_a_jpeg_at_a_reduced_scale() -> None:
    step: dict[str, Any] = {"transform": "smart_crop", "width": 100, "height": 100}
    wanted = Recipe.parse({"steps": [step, {"transform": "encode", "format": "png"}]})
    picture = detailed(scene(1603, 801), (1200, 300, 1500, 600))
    assert wanted.surplus(picture.size) == pytest.approx(8.01)
    original = save(picture, "JPEG", quality=95)
    result = opened(render(original, wanted, Limits())[0].data)
    assert difference(result, applied(opened(original), **step)) < 3


def test_the_same_picture_is_cut_in_the_same_place() -> None:
    one, other = (applied(scene(300, 100), "smart_crop", aspect="1:2") for _ in range(2))
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_and_narrow_pictures_survive(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 200, 10))
    for parameters in ({"aspect": "16:9"}, {"width": 7, "height": 3}):
        assert applied(image, "smart_crop", **parameters).getpixel((0, 0)) == (10, 200, 10)


@pytest.mark.parametrize("parameters", [{}, {"width": 9}, {"aspect": "1:1", "width": 9, "height": 9}])
def test_it_needs_either_a_size_or_proportions(parameters: dict[str, Any]) -> None:
    expected = 'smart_crop needs either "width" and "height", or "aspect" such as "1:1"'
    assert expected in refused("smart_crop", **parameters)
