"""Renditions: processed and thumbnail together, and previews that look like them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from PIL import Image

from imagomortis.errors import PictureTooLarge, TransformFailed
from imagomortis.picture.header import Limits, read_header
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis.recipe.render import preview, render
from tests.pictures import KINDS, difference, opened, oriented, photo, photo_with_exif, quarters, save, scene

LIMITS = Limits()
CIRCLES = Recipe.parse("circles")


def recipe(*steps: dict[str, Any]) -> Recipe:
    """Return a recipe of these steps."""
    return Recipe.parse({"steps": list(steps)})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_processed_by_the_default_recipe(kind: str) -> None:
    processed, small = render(KINDS[kind](), CIRCLES, LIMITS)
    assert (processed.kind, small.kind) == ("processed", "thumbnail")
    assert small.media_type == "image/webp"
    for rendition in (processed, small):
        image = opened(rendition.data)
        assert image.size == (rendition.width, rendition.height)
        assert read_header(rendition.data, LIMITS).media_type == rendition.media_type
        assert rendition.sha256 == hashlib.sha256(rendition.data).digest()


def test_the_same_original_gives_the_same_bytes_and_another_other_circles() -> None:
    one, again, other = (render(photo(seed=seed), CIRCLES, LIMITS)[0] for seed in (1, 1, 2))
    assert one.data == again.data
    unlike = difference(opened(one.data), opened(photo(seed=1))), difference(opened(other.data), opened(photo(seed=2)))
    assert unlike[0] != unlike[1]


def test_the_thumbnail_shows_the_processed_picture() -> None:
    processed, small = render(photo(1200, 800), CIRCLES, LIMITS)
    assert (small.width, small.height) == (512, 341)
    assert difference(opened(small.data), opened(processed.data).resize((512, 341))) < 5


def test_lengths_mean_the_sides_that_people_see() -> None:
    """The left half of the picture as shown, although the file stores it lying on its side."""
    processed, _ = render(
        oriented("JPEG", 6), recipe({"transform": "crop", "width": "50%", "position": "left"}), LIMITS
    )
    assert (processed.width, processed.height) == (32, 48)
    assert difference(opened(processed.data), quarters().crop((0, 0, 32, 48))) < 8


def test_notes_are_kept_unless_they_are_stripped_and_never_in_thumbnails() -> None:
    processed, small = render(photo_with_exif(), CIRCLES, LIMITS)
    assert opened(processed.data).getexif()[0x0110] == "Modell 7"
    assert not opened(small.data).getexif()
    stripped, _ = render(photo_with_exif(), recipe({"transform": "strip_metadata"}), LIMITS)
    assert not opened(stripped.data).getexif()


def test_a_result_beyond_its_format_is_refused_before_decoding() -> None:
    wide = recipe(
        {"transform": "resize", "width": 20_000, "height": 4, "fit": "exact"}, {"transform": "encode", "format": "webp"}
    )
    with pytest.raises(TransformFailed, match="16,383"):
        render(photo(), wide, LIMITS)


def test_an_original_beyond_the_limits_is_refused() -> None:
    with pytest.raises(PictureTooLarge):
        render(photo(), CIRCLES, Limits(max_pixels=100))


@pytest.mark.parametrize(
    "steps",
    [
        builtin()["circles"].recipe.as_json()["steps"],
        builtin()["framed"].recipe.as_json()["steps"],
        [{"transform": "rotate", "angle": 20}],
        [{"transform": "crop", "width": "900px", "height": "600px", "x": "300px", "y": "300px"}],
        [{"transform": "border", "width": "100px", "colour": "#880000"}, {"transform": "blur", "radius": "20px"}],
        [{"transform": "watermark", "text": "ImagoMortis", "size": "200px", "position": "center"}],
        [{"transform": "resize", "width": "900px", "height": "150px", "fit": "exact"}],
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_preview_looks_like_the_result(steps: list[dict[str, Any]], kind: str) -> None:
    original = save(scene(1200, 800, seed=4), kind)
    shown = preview(original, recipe(*steps), LIMITS, longest_side=400)
    processed, _ = render(original, recipe(*steps), LIMITS)
    ratio = 400 / max(processed.width, processed.height)
    expected = (round(processed.width * ratio), round(processed.height * ratio))
    assert shown.kind == "preview"
    assert max(shown.width, shown.height) <= 400
    assert shown.width == pytest.approx(expected[0], abs=2)
    assert shown.height == pytest.approx(expected[1], abs=2)
    alike = opened(processed.data).convert("RGB").resize((shown.width, shown.height), Image.Resampling.BICUBIC)
    # of the circles, which hash the bytes of the original, the same
    assert difference(opened(shown.data).convert("RGB"), alike) < 6


def test_a_small_result_is_previewed_as_it_is() -> None:
    shown = preview(photo(1200, 800), recipe({"transform": "resize", "width": 90}), LIMITS)
    assert (shown.width, shown.height) == (90, 60)


def test_a_preview_is_never_larger_than_asked_for() -> None:
    assert preview(photo(600, 400), CIRCLES, LIMITS, 7).width == 7


def test_a_preview_of_an_avif_does_not_wait_for_its_encoder() -> None:
    assert preview(KINDS["avif"](), CIRCLES, LIMITS).media_type == "image/webp"


def test_a_preview_carries_no_notes() -> None:
    assert not opened(preview(photo_with_exif(), CIRCLES, LIMITS).data).getexif()
