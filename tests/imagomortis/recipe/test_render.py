"""Renditions: processed and thumbnail together, and previews that look like them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from PIL import Image

from imagomortis.errors import PictureTooLarge, TransformFailed
from imagomortis.picture import codec
from imagomortis.picture.header import Limits, read_header
from imagomortis.recipe import render as rendering
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
        ("thumbnail", "image/webp", 400, 400),
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
    assert starts[0] == (1200, 1000)
    assert sorted(starts[1:]) == [(250, 100), (500, 250), (1000, 500), (1000, 512), (1200, 501)]


def test_outputs_with_random_steps_show_the_same_picture() -> None:
    drawn = {"steps": [{"transform": "circles"}], "output": {"format": "png"}}
    one, other, _ = render(photo(), outputs(one=drawn, other=drawn), LIMITS)
    assert one.data == other.data


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
