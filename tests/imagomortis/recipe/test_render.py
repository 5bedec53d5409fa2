"""Renditions: processed and thumbnail together, and previews that look like them."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from imagomortis.errors import PictureTooLarge, TransformFailed
from imagomortis.picture import codec
from imagomortis.picture.codec import decode
from imagomortis.picture.header import Limits, read_header
from imagomortis.recipe import render as rendering
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis.recipe.render import preview, render
from tests.support.pictures import (
    KINDS,
    difference,
    exif,
    opened,
    oriented,
    photo,
    photo_with_exif,
    quarters,
    save,
    scene,
    stored_as,
)

LIMITS = Limits()
CIRCLES = Recipe.parse("circles")


def recipe(*steps: dict[str, Any]) -> Recipe:
    """Return a recipe of these steps."""
    return Recipe.parse({"steps": list(steps)})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_processed_by_the_default_recipe(kind: str) -> None:
    processed, small = render(KINDS[kind](), CIRCLES, LIMITS)
    assert (processed.kind, small.kind) == ("processed", "thumbnail")
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


def outputs(steps: list[dict[str, Any]] | None = None, **named: dict[str, Any]) -> Recipe:
    """Return a recipe of these common steps and outputs."""
    return Recipe.parse({"steps": steps or [], "outputs": named})


def to_width(width: int, **more: Any) -> dict[str, Any]:
    """Return an output that only resizes."""
    return {"steps": [{"transform": "resize", "width": width}], **more}


def test_every_output_is_made_and_the_thumbnail_shows_the_first() -> None:
    wanted = outputs(
        square={"steps": [{"transform": "crop", "aspect": "1:1"}]},
        large=to_width(300, output={"format": "webp"}),
        small=to_width(100),
    )
    made = render(photo(600, 400), wanted, LIMITS)
    assert [(each.kind, each.media_type, each.width, each.height) for each in made] == [
        ("processed", "image/jpeg", 400, 400),
        ("large", "image/webp", 300, 200),
        ("small", "image/jpeg", 100, 67),
        ("thumbnail", "image/jpeg", 400, 400),
    ]
    for each in made:
        assert opened(each.data).size == (each.width, each.height)


def test_the_original_is_decoded_once_for_all_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def decode(*args: Any, **more: Any) -> Any:
        decoded.append(args)
        return codec.decode(*args, **more)

    monkeypatch.setattr(rendering, "decode", decode)
    render(photo(), outputs(a=to_width(30), b=to_width(20), c={}), LIMITS)
    assert len(decoded) == 1


def test_an_output_looks_as_if_it_were_the_only_one() -> None:
    """Also those that start from the result of a larger one, and those beside steps that draw on the picture."""
    original = save(scene(1200, 800, seed=4), "PNG")
    drawn = {"steps": [{"transform": "watermark", "text": "ImagoMortis", "size": "200px"}]}
    named = {"w1000": to_width(1000), "w400": to_width(400), "w200": to_width(200), "drawn": drawn, "plain": {}}
    made_together = render(original, outputs(**named), LIMITS)
    together = dict(zip(["w1000", "drawn", "plain", "w200", "w400", "thumbnail"], made_together, strict=True))
    for name, steps in named.items():
        alone, _ = render(original, outputs(**{name: steps}), LIMITS)
        made = together[name]
        assert (made.width, made.height) == (alone.width, alone.height)
        assert difference(opened(made.data), opened(alone.data)) < 1


def test_a_smaller_output_starts_from_one_that_is_at_least_twice_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    original, starts, resize = save(scene(1200, 800), "PNG"), [], Image.Image.resize

    def seen(image: Image.Image, size: Any, *args: Any, **more: Any) -> Image.Image:
        starts.append((image.width, size[0]))
        return resize(image, size, *args, **more)

    monkeypatch.setattr(Image.Image, "resize", seen)
    widths = {f"w{width}": to_width(width) for width in (1000, 501, 500, 250, 100)}
    again = to_width(500, output={"format": "webp"})
    render(original, outputs(**widths, again=again), LIMITS)
    of_outputs = sorted(start for start in starts if start[1] in {1000, 501, 500, 250, 100})
    assert of_outputs == [(250, 100), (500, 250), (1000, 500), (1200, 501), (1200, 1000)]


def test_outputs_with_random_steps_show_the_same_picture() -> None:
    drawn = {"steps": [{"transform": "circles"}], "output": {"format": "png"}}
    one, other, _ = render(photo(), outputs(one=drawn, other=drawn), LIMITS)
    assert one.data == other.data


def test_outputs_that_are_too_large_together_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    png = {"output": {"format": "png"}}
    one = len(render(photo(), outputs(one=png), LIMITS)[0].data)
    monkeypatch.setattr("imagomortis.recipe.render.MOST_BYTES", 2 * one)
    render(photo(), outputs(one=png, two=png), LIMITS)
    with pytest.raises(TransformFailed, match="Choose fewer or smaller ones"):
        render(photo(), outputs(one=png, two=png, three=png), LIMITS)


def test_the_plan_covers_every_output() -> None:
    wide = {"steps": [{"transform": "resize", "width": 20_000, "height": 4, "fit": "exact"}]}
    with pytest.raises(TransformFailed, match=r"Step 1 \(resize\) of the output 'wide' failed: .*at most 10,000"):
        render(photo(), outputs(small=to_width(9), wide=wide), Limits(max_side=10_000))
    wide["output"] = {"format": "webp"}
    with pytest.raises(TransformFailed, match=r"The output 'wide' failed: .*16,383") as failure:
        render(photo(), outputs(small=to_width(9), wide=wide), LIMITS)
    assert failure.value.members["output"] == "wide"


def test_a_preview_shows_the_first_output() -> None:
    shown = preview(photo(600, 400), outputs(first=to_width(90), second=to_width(50)), LIMITS)
    assert (shown.width, shown.height) == (90, 60)


def test_progress_of_outputs_ends_at_100() -> None:
    seen: list[dict[str, int]] = []
    took: list[str] = []
    wanted = outputs([{"transform": "blur"}], w30=to_width(30), w15=to_width(15), again=to_width(15))
    render(photo(), wanted, LIMITS, lambda done: seen.append(dict(done)), lambda label, _: took.append(label))
    assert seen[-1] == {"blur": 100, "w30/resize": 100, "again/resize": 100, "w15/resize": 100}
    assert sorted(took) == sorted(seen[-1])


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Return the peak signal-to-noise ratio of two pictures, in dB."""
    squares = ImageStat.Stat(ImageChops.difference(one, other)).sum2
    return 10 * math.log10(255**2 * one.width * one.height * len(squares) / max(1, sum(squares)))


def assert_reduced_and_alike(original: bytes, *steps: dict[str, Any], scale: int) -> None:
    """Compare a result with what the same steps make of an original that was decoded in full."""
    made = recipe(*steps, {"transform": "encode", "format": "png"})
    full = decode(original, LIMITS)
    reduced = decode(original, LIMITS, surplus=made.surplus(full.image.size))
    assert reduced.image.size == tuple(-(-side // scale) for side in full.image.size)
    expected = made.common.apply(full.image, hashlib.sha256(original).digest(), made.tracker())
    result = opened(render(original, made, LIMITS)[0].data)
    assert result.size == expected.size
    assert likeness(result, expected) >= 45


@pytest.mark.parametrize(("width", "scale"), [(700, 1), (685, 2), (350, 2), (342, 4), (176, 4), (170, 8), (20, 8)])
def test_a_jpeg_is_decoded_at_the_least_scale_that_a_smaller_result_allows(width: int, scale: int) -> None:
    assert_reduced_and_alike(photo(2559, 1706, 5), {"transform": "resize", "width": width}, scale=scale)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_comes_out_upright_and_not_shifted(orientation: int) -> None:
    """Its sides are odd, so that the last column and row of the reduced pixels show less of it than the others."""
    stored = stored_as(scene(1205, 805, 2), orientation)
    original = save(stored, "JPEG", quality=90, exif=exif(orientation))
    assert_reduced_and_alike(original, {"transform": "resize", "width": 140}, scale=4)


@pytest.mark.parametrize("position", ["top-left", "center", "bottom-right"])
def test_a_reduced_jpeg_is_cut_in_the_same_place(position: str) -> None:
    square = {"transform": "resize", "width": 200, "height": 200, "fit": "cover", "position": position}
    assert_reduced_and_alike(photo(1207, 805, 2), square, scale=2)


def test_circles_on_a_reduced_jpeg_stay_where_they_were() -> None:
    steps = ({"transform": "strip_metadata"}, {"transform": "resize", "width": "20%"}, {"transform": "circles"})
    assert_reduced_and_alike(photo(1207, 805, 2), *steps, scale=2)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("corner", [{"x": "0%", "y": "0%"}, {"x": "30%", "y": "41%"}, {"position": "bottom-right"}])
def test_a_jpeg_that_is_cut_first_is_reduced_by_what_is_left(orientation: int, corner: dict[str, Any]) -> None:
    stored = stored_as(scene(1205, 805, 2), orientation)
    original = save(stored, "JPEG", quality=90, exif=exif(orientation))
    cut = {"transform": "crop", "width": "50%", "height": "47%", **corner}
    assert_reduced_and_alike(original, cut, {"transform": "resize", "width": 120}, scale=2)
    assert_reduced_and_alike(original, cut, cut, {"transform": "resize", "width": 38}, scale=4)


def test_outputs_of_a_picture_that_is_cut_first_look_as_if_they_were_made_of_all_pixels() -> None:
    original = photo(2559, 1706, 5)
    cut = {"transform": "crop", "aspect": "1:1", "position": "left"}
    named = {
        "w300": to_width(300),
        "w100": to_width(100),
        "half": {"steps": [{**cut, "aspect": "1:2"}, *to_width(90)["steps"]]},
    }
    wanted = outputs([cut], **{name: {**steps, "output": {"format": "png"}} for name, steps in named.items()})
    full = decode(original, LIMITS).image
    assert decode(original, LIMITS, surplus=wanted.surplus(full.size)).image.size == (1280, 853)
    made = dict(zip(wanted.branches, render(original, wanted, LIMITS), strict=False))
    common = wanted.common.apply(full, bytes(32), wanted.tracker())
    for kind, chain in wanted.branches.items():
        expected = chain.apply(common.copy(), bytes(32), wanted.tracker())
        assert likeness(opened(made[kind].data), expected) >= 40


def test_a_cut_alone_gets_all_pixels() -> None:
    assert recipe({"transform": "crop", "width": "10%"}).surplus((1200, 800)) == 1
    assert outputs([{"transform": "crop", "width": "10%"}], a={}, b=to_width(9)).surplus((1200, 800)) == 1


def test_a_cut_outside_of_a_reduced_picture_is_refused() -> None:
    steps = ({"transform": "crop", "x": "900px", "width": "50px"}, {"transform": "resize", "width": 5})
    with pytest.raises(TransformFailed, match=r"Step 1 \(crop\) failed: .*outside of the picture of 800 x 600 pixels"):
        render(photo(800, 600), recipe(*steps), LIMITS)


@pytest.mark.parametrize("first", [{"transform": "circles"}, {"transform": "trim"}])
def test_steps_before_a_resize_get_all_pixels(first: dict[str, Any]) -> None:
    assert recipe(first, {"transform": "resize", "width": 20}).surplus((1200, 800)) == 1


def test_a_recipe_that_changes_no_pixel_gets_all_of_them() -> None:
    assert recipe({"transform": "encode", "format": "jpeg"}).surplus((1200, 800)) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 9), (17, 33)])
def test_odd_and_tiny_jpegs_are_reduced_without_failing(size: tuple[int, int]) -> None:
    original = save(scene(max(2, size[0]), max(2, size[1])).crop((0, 0, *size)), "JPEG")
    for fit in ("contain", "cover", "exact"):
        made, _ = render(original, recipe({"transform": "resize", "width": 1, "height": 1, "fit": fit}), LIMITS)
        assert (made.width, made.height) == (1, 1)


def test_outputs_of_a_reduced_jpeg_look_as_if_they_were_made_of_all_pixels() -> None:
    original = photo(2559, 1706, 5)
    cut = {"steps": [{"transform": "resize", "width": 200, "height": 200, "fit": "cover"}]}
    named = {"w600": to_width(600), "w500": to_width(500), "cut": cut, "w200": to_width(200)}
    wanted = outputs(**{name: {**steps, "output": {"format": "png"}} for name, steps in named.items()})
    full = decode(original, LIMITS).image
    assert decode(original, LIMITS, surplus=wanted.surplus(full.size)).image.size == (1280, 853)
    made = dict(zip(wanted.branches, render(original, wanted, LIMITS), strict=False))
    for kind, chain in wanted.branches.items():
        expected = chain.apply(full, bytes(32), wanted.tracker())
        # some start from the result of another
        assert likeness(opened(made[kind].data), expected) >= 40


def test_one_output_of_full_size_needs_all_pixels() -> None:
    assert outputs(small=to_width(20), whole={}).surplus((1200, 800)) == 1
