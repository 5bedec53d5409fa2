"""What a sandbox believes of its child's answers."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from imagomortis.errors import TransformFailed
from imagomortis.picture.header import Header, Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox import answers

LIMITS = Limits(max_pixels=1000)
HEADER = {
    "format": "JPEG",
    "media_type": "image/jpeg",
    "width": 40,
    "height": 20,
    "orientation": 6,
    "frames": 1,
    "size": 900,
    "end": 880,
}
MADE = {"media_type": "image/webp", "width": 40, "height": 20}
CIRCLES = Recipe.parse("circles")


def test_a_sound_header_is_taken() -> None:
    assert answers.header({"header": HEADER}, LIMITS, 900) == Header(**HEADER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lie",
    [
        {"format": "SVG"},
        {"media_type": "text/html"},
        {"width": 60},
        {"width": 0},
        {"width": "<b>"},
        {"height": -20},
        {"orientation": 9},
        {"frames": 0},
        {"size": 901},
        {"end": 901},
        {"end": 0},
    ],
)
def test_a_header_that_cannot_be_is_not(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        answers.header({"header": {**HEADER, **lie}}, LIMITS, 900)


def test_the_digest_is_computed_from_the_bytes() -> None:
    answer = {"renditions": [MADE, MADE], "seconds": []}
    found = answers.renditions(answer, [b"one", b"other"], {"processed": LIMITS, "thumbnail": LIMITS})
    assert [(each.kind, each.sha256) for each in found] == [
        ("processed", hashlib.sha256(b"one").digest()),
        ("thumbnail", hashlib.sha256(b"other").digest()),
    ]


@pytest.mark.parametrize(
    "lie",
    [
        {"media_type": "text/html"},
        {"width": 60},
        {"width": 0},
        {"width": True},
        {"sha256": "00"},
        {"kind": "thumbnail"},
        {"thumbhash": "<b>"},
        {"thumbhash": "0"},
        {"thumbhash": "00" * 26},
    ],
)
def test_a_rendition_that_cannot_be_is_not_taken(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        answers.renditions({"renditions": [{**MADE, **lie}]}, [b"one"], {"processed": LIMITS})


@pytest.mark.parametrize(("told", "blobs"), [(0, 0), (1, 0), (0, 1), (2, 2)])
def test_as_many_pictures_come_as_were_asked_for(told: int, blobs: int) -> None:
    with pytest.raises(ValueError, match="another number"):
        answers.renditions({"renditions": [MADE] * told}, [b""] * blobs, {"processed": LIMITS})


@pytest.mark.parametrize("told", [{"circles": 101}, {"circles": -1}, {"blur": 5}, {"circles": "5"}, [], None])
def test_progress_is_of_the_recipe_s_steps_in_percent(told: object) -> None:
    assert answers.progress({"progress": {"circles": 50}}, CIRCLES) == {"circles": 50}
    with pytest.raises(ValueError, match=r"."):
        answers.progress({"progress": told}, CIRCLES)


@pytest.mark.parametrize("told", [["blur", 1.0], ["circles", -1.0], ["circles", float("nan")], ["circles"], "circles"])
def test_times_are_of_the_recipe_s_steps(told: object) -> None:
    assert answers.seconds({"renditions": [], "seconds": [["circles", 0.5]]}, CIRCLES) == [("circles", 0.5)]
    with pytest.raises(ValueError, match=r"."):
        answers.seconds({"renditions": [], "seconds": [told]}, CIRCLES)


def test_several_outputs_are_taken_in_their_order_and_within_their_limits() -> None:
    sizes = {"processed": LIMITS, "small": Limits(max_side=40), "thumbnail": LIMITS}
    found = answers.renditions({"renditions": [MADE] * 3}, [b"a", b"b", b"c"], sizes)
    assert [(each.kind, each.data) for each in found] == [("processed", b"a"), ("small", b"b"), ("thumbnail", b"c")]
    with pytest.raises(ValueError, match="over the limit"):
        answers.renditions({"renditions": [MADE] * 3}, [b"a", b"b", b"c"], {**sizes, "small": Limits(max_side=39)})


def test_an_error_keeps_its_kind_and_a_clean_text() -> None:
    told = {"error": "transform-failed", "detail": "a\0b \ud800" + "x" * 10**6, "members": {"step": 2}}
    error = answers.error(told)
    assert type(error) is TransformFailed
    assert error.members == {"step": 2}
    assert error.detail.startswith("a?b ?xxx")
    assert len(error.detail) < 10**5


@pytest.mark.parametrize(
    "lie",
    [
        {"error": "disk-full"},
        {"error": "no-such"},
        {"detail": 5},
        {"members": {"status": 200}},
        {"members": {"width": "<b>"}},
        {"members": []},
    ],
)
def test_an_error_that_no_decoder_gives_is_not_taken(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        answers.error({"error": "broken-picture", "detail": "It is broken.", "members": {}, **lie})
