"""The search for a quality that is similar or small enough."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imagomortis.errors import TransformFailed
from imagomortis.picture import codec
from imagomortis.picture.codec import Encoded, Output, encode
from imagomortis.picture.encoding_search import HIGHEST, LOWEST, SIMILARITY, highest_within, lowest_similar, similarity
from tests.support.pictures import scene


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A picture whose sides are no multiples of a window."""
    return scene(203, 301, seed=3).convert("RGB")


def decoded(encoded: Encoded) -> Image.Image:
    return Image.open(io.BytesIO(encoded.data)).convert("RGB")


def test_the_similarity_is_that_of_the_formula(picture: Image.Image) -> None:
    one = picture.crop((0, 0, 200, 296)).convert("L")
    other = one.filter(ImageFilter.GaussianBlur(1))
    x, y = (np.asarray(image, float).reshape(37, 8, 25, 8).swapaxes(1, 2).reshape(-1, 64).T for image in (one, other))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
    above = (2 * x.mean(0) * y.mean(0) + c1) * (2 * covariance + c2)
    below = (x.mean(0) ** 2 + y.mean(0) ** 2 + c1) * (x.var(0) + y.var(0) + c2)
    assert similarity(one, other) == pytest.approx((above / below).mean(), abs=1e-4)


def test_a_picture_is_similar_to_itself_and_not_to_another(picture: Image.Image) -> None:
    assert similarity(picture, picture) == pytest.approx(1, abs=1e-5)
    assert similarity(picture, Image.new("RGB", picture.size)) < 0.1


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_the_automatic_quality_is_the_lowest_that_is_similar(picture: Image.Image, kind: codec.Kind) -> None:
    made = encode(picture, Output(kind, "auto"), "JPEG")
    assert similarity(picture, decoded(made)) >= SIMILARITY
    qualities = {quality: encode(picture, Output(kind, quality), "JPEG") for quality in range(LOWEST, HIGHEST + 1, 5)}
    lower = [each for each in qualities.values() if len(each.data) < len(made.data)]
    assert lower
    assert all(similarity(picture, decoded(each)) < SIMILARITY for each in lower)


@pytest.mark.parametrize("is_ever_similar", [False, True])
def test_a_search_is_bounded(picture: Image.Image, is_ever_similar: bool) -> None:
    asked = []
    same, other = (encode(image, Output("png"), "PNG").data for image in (picture, Image.new("RGB", picture.size)))

    def made(quality: int) -> bytes:
        asked.append(quality)
        return same if is_ever_similar else other

    assert lowest_similar(picture, made) == (LOWEST if is_ever_similar else HIGHEST)
    assert len(asked) <= 7


@pytest.mark.parametrize(("most_bytes", "quality"), [(1000, 90), (600, 60), (61, 6), (50, 5), (49, None)])
def test_the_highest_quality_within_a_limit_of_bytes(most_bytes: int, quality: int | None) -> None:
    assert highest_within(most_bytes, 90, lambda each: bytes(10 * each)) == quality


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_a_file_has_at_most_so_many_bytes(picture: Image.Image, kind: codec.Kind) -> None:
    free = encode(picture, Output(kind, 90), "JPEG")
    limited = encode(picture, Output(kind, 90, max_bytes=len(free.data) // 2), "JPEG")
    assert len(free.data) / 4 < len(limited.data) <= len(free.data) / 2
    assert encode(picture, Output(kind, 90, max_bytes=len(free.data)), "JPEG") == free


@pytest.mark.parametrize("output", [Output("png", max_bytes=500), Output("jpeg", max_bytes=500)])
def test_a_file_that_cannot_be_small_enough_fails(picture: Image.Image, output: Output) -> None:
    with pytest.raises(TransformFailed, match=r"may have at most 500\. Choose a smaller size"):
        encode(picture, output, "JPEG")


def test_the_automatic_format_is_the_smaller_of_both(picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [encode(picture, Output(kind, "auto"), "JPEG") for kind in ("webp", "avif")]
    chosen = encode(picture, Output("auto", "auto"), "JPEG")
    assert chosen == min(both, key=lambda each: len(each.data))
    assert chosen.media_type == "image/avif"
    monkeypatch.setattr(codec, "AUTO_AVIF_PIXELS", 203 * 301 - 1)
    assert encode(picture, Output("auto", "auto"), "JPEG").media_type == "image/webp"


def test_the_automatic_format_is_one_that_fits(picture: Image.Image) -> None:
    webp, avif = (encode(picture, Output(kind, 90), "JPEG") for kind in ("webp", "avif"))
    least = min(len(encode(picture, Output(kind, 5), "JPEG").data) for kind in ("webp", "avif"))
    most = min(len(webp.data), len(avif.data)) // 2
    assert least < most
    assert len(encode(picture, Output("auto", 90, max_bytes=least), "JPEG").data) == least
    assert len(encode(picture, Output("auto", 90, max_bytes=most), "JPEG").data) <= most


def test_the_automatic_format_without_loss_is_webp(picture: Image.Image) -> None:
    made = encode(picture, Output("auto", lossless=True), "JPEG")
    assert made.media_type == "image/webp"
    assert similarity(picture, decoded(made)) == pytest.approx(1, abs=1e-5)


def test_pixels_that_nobody_sees_may_differ(picture: Image.Image) -> None:
    one, other = picture.convert("RGBA"), Image.new("RGBA", picture.size)
    for image in (one, other):
        image.putalpha(0)
    assert similarity(one, other) == pytest.approx(1, abs=1e-5)


def test_the_quality_of_a_large_picture_is_found_on_a_smaller_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, sizes, save = scene(400, 300, seed=3).convert("RGB"), [], Image.Image.save

    def seen(image: Image.Image, *args: Any, **options: Any) -> None:
        sizes.append(image.size)
        save(image, *args, **options)

    monkeypatch.setattr(codec, "SEARCHED_PIXELS", 400 * 300 // 4)
    monkeypatch.setattr(Image.Image, "save", seen)
    assert similarity(picture, decoded(encode(picture, Output("webp", "auto"), "JPEG"))) > SIMILARITY - 0.02
    assert sizes.count((400, 300)) == 1
    assert 1 < sizes.count((200, 150)) <= 7


def test_a_progressive_jpeg_looks_the_same(picture: Image.Image) -> None:
    progressive, plain = (encode(picture, Output("jpeg", 80, progressive=each), "JPEG") for each in (True, False))
    assert Image.open(io.BytesIO(progressive.data)).info["progressive"]
    assert "progressive" not in Image.open(io.BytesIO(plain.data)).info
    assert similarity(decoded(progressive), decoded(plain)) > 0.9999


def test_an_automatic_quality_is_previewed_quickly() -> None:
    assert Output("auto", "auto").for_preview("webp", 82) == Output("webp", 82, keep_metadata=False)
