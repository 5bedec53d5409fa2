"""The door: what a file says of itself, and what is refused before anything is decoded."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagomortis.errors import BrokenPicture, PictureTooLarge, RefusedPicture, UnsupportedPicture
from imagomortis.picture.header import FORMATS, Limits, read_header
from tests.support.pictures import (
    FOREIGN_TAILS,
    HARMLESS_TAILS,
    KINDS,
    NOT_PICTURES,
    deep_grey_tiff,
    lying_png,
    opened,
    oriented,
    pdf_polyglot,
    photo,
    quarters,
    save,
    scene,
    truncated,
    video,
    zip_polyglot,
)

LIMITS = Limits()
SELF_CONTAINED = ["jpeg", "png", "webp", "gif", "bmp", "avif", "heic", "tiff"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_taken_with_the_size_that_it_has(kind: str) -> None:
    data = KINDS[kind]()
    header = read_header(data, LIMITS)
    assert (header.width, header.height) == opened(data).size
    assert header.media_type == FORMATS[header.format].media_type
    assert header.media_type.removeprefix("image/") in {kind.partition("-")[0], "jpeg"}
    assert header.size == len(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(kind: str, orientation: int) -> None:
    header = read_header(oriented(kind, orientation), LIMITS)
    assert (header.width, header.height) == (64, 48)
    assert header.orientation == orientation


@pytest.mark.parametrize("kind", ["png-animated", "webp-animated", "gif-animated", "tiff-pages"])
def test_frames_are_counted(kind: str) -> None:
    assert read_header(KINDS[kind](), LIMITS).frames == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_same_header_as_its_bytes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(KINDS[kind]())
    with path.open("rb") as file:
        assert read_header(file.fileno(), LIMITS) == read_header(KINDS[kind](), LIMITS)


def test_too_many_bytes_are_refused_with_both_numbers() -> None:
    with pytest.raises(PictureTooLarge, match=r"has 0\.0 MiB; at most .* MiB are allowed"):
        read_header(photo(), Limits(max_bytes=100))


def test_too_many_pixels_are_refused_before_decoding() -> None:
    with pytest.raises(PictureTooLarge, match=r"20000 x 10000 pixels, 200 megapixels: at most 100 megapixels"):
        read_header(lying_png(20_000, 10_000), LIMITS)


def test_too_long_a_side_is_refused() -> None:
    with pytest.raises(PictureTooLarge, match="a side may have at most 65,500 pixels"):
        read_header(lying_png(65_501, 2), LIMITS)


def test_the_limits_themselves_are_allowed() -> None:
    picture = save(quarters(40, 20), "PNG")
    read_header(picture, Limits(max_bytes=len(picture), max_pixels=800, max_side=40))
    with pytest.raises(PictureTooLarge):
        read_header(picture, Limits(max_pixels=799))
    with pytest.raises(PictureTooLarge):
        read_header(picture, Limits(max_side=39))


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_other_files_are_refused_by_their_kind(name: str) -> None:
    data, called = NOT_PICTURES[name]
    with pytest.raises(UnsupportedPicture) as refusal:
        read_header(data, LIMITS)
    assert called in refusal.value.detail
    assert "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC" in refusal.value.detail


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with empty.open("rb") as file:
        for source in (b"", file.fileno()):
            with pytest.raises(BrokenPicture, match="The file is empty"):
                read_header(source, LIMITS)


def test_a_raw_file_of_a_camera_is_not_taken_for_a_tiff() -> None:
    canon = bytearray(deep_grey_tiff())
    canon[8:8] = b"CR\x02\0"
    canon[4] += 4
    with pytest.raises(RefusedPicture, match="raw file"):
        read_header(bytes(canon), LIMITS)


@pytest.mark.parametrize("kind", SELF_CONTAINED)
@pytest.mark.parametrize("tail", FOREIGN_TAILS)
def test_a_foreign_tail_is_refused_by_what_it_is(kind: str, tail: str) -> None:
    data, called = FOREIGN_TAILS[tail]
    with pytest.raises(BrokenPicture) as refusal:
        read_header(KINDS[kind]() + data, LIMITS)
    assert called in refusal.value.detail


@pytest.mark.parametrize("kind", [*SELF_CONTAINED, "jpeg-mpf"])
@pytest.mark.parametrize("tail", HARMLESS_TAILS)
def test_appendices_of_cameras_and_phones_are_accepted(kind: str, tail: str) -> None:
    picture = KINDS[kind]()
    header = read_header(picture + HARMLESS_TAILS[tail], LIMITS)
    assert (header.width, header.height) == opened(picture).size


@pytest.mark.parametrize("seed", range(3))
def test_a_video_of_20_mb_is_taken_whatever_its_bytes_and_fast(seed: int) -> None:
    chance = random.Random(seed)
    frames = bytearray(chance.randbytes(20_000_000))
    for mark in (b"%svg ", b"<sVg\n", b"<BoDy ", b"<html>", b"%PDF-", b"<?php", b"<a src=", b"\xff\xd8\xff", b"PK\5\6"):
        at = chance.randrange(len(frames) - 100_000)
        frames[at : at + len(mark)] = mark
    data = photo(64, 48) + video(bytes(frames))
    began = time.thread_time()
    assert read_header(data, LIMITS).width == 64
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize(
    "unit", [b"<", b"<a ", b"<a" + b" onload" * 140, b"<x:", b"#!/", b"xxxx\0\0\0\x10ftypisom\0\0\0\0"]
)
def test_a_tail_that_is_made_to_be_slow_is_looked_through_in_time(unit: bytes) -> None:
    data = photo(64, 48) + b"\x01" + unit * (5_000_000 // len(unit))
    began = time.thread_time()
    read_header(data, LIMITS)
    assert time.thread_time() - began < 5


@pytest.mark.parametrize("polyglot", [pdf_polyglot, zip_polyglot])
def test_a_picture_that_is_another_document_as_well_is_refused(polyglot: object) -> None:
    data = polyglot()  # type: ignore[operator]
    opened(data)
    with pytest.raises(BrokenPicture, match="as well"):
        read_header(data, LIMITS)


def test_a_video_that_is_cut_off_behind_its_picture_is_refused() -> None:
    with pytest.raises(BrokenPicture, match="cut off"):
        read_header(photo() + truncated(HARMLESS_TAILS["motion-photo"], 0.5), LIMITS)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-progressive", "png", "webp", "gif", "bmp", "tiff", "avif", "heic"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
def test_truncated_pictures_are_refused(kind: str, share: float) -> None:
    with pytest.raises(RefusedPicture):
        read_header(truncated(KINDS[kind](), share), LIMITS)


def test_a_jpeg_with_far_too_little_data_for_its_size_is_refused() -> None:
    for progressive in (False, True):
        small = save(scene(64, 48), "JPEG", progressive=progressive)
        marker = b"\xff\xc2" if progressive else b"\xff\xc0"
        at = small.index(marker) + 5
        forged = small[:at] + (4000).to_bytes(2, "big") + (5000).to_bytes(2, "big") + small[at + 4 :]
        with pytest.raises(BrokenPicture, match="5000 x 4000 pixels, but holds too little data"):
            read_header(forged, LIMITS)


def test_a_webp_whose_parts_disagree_is_refused() -> None:
    data = bytearray(KINDS["webp-lossless-alpha"]())
    assert data[12:16] == b"VP8L"
    extended = b"VP8X\x0a\0\0\0\x10\0\0\0" + (99).to_bytes(3, "little") + (99).to_bytes(3, "little")
    forged = data[:4] + (len(data) - 8 + len(extended)).to_bytes(4, "little") + data[8:12] + extended + data[12:]
    with pytest.raises(BrokenPicture, match="contradicts itself"):
        read_header(bytes(forged), LIMITS)


def assert_taken_or_refused(data: bytes) -> None:
    """Fail if anything but a header or a refusal comes of a file."""
    with suppress(RefusedPicture):
        assert read_header(data, LIMITS).width > 0


@given(data=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_taken_or_refused_but_never_crash(data: bytes) -> None:
    assert_taken_or_refused(data)


@pytest.mark.parametrize("kind", SELF_CONTAINED)
@given(chance=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_pictures_are_taken_or_refused_but_never_crash(kind: str, chance: st.DataObject) -> None:
    data = bytearray(KINDS[kind]())
    for _ in range(chance.draw(st.integers(1, 4))):
        # the structure is where damage matters: mostly at the beginning and at the end
        at = chance.draw(st.one_of(st.integers(0, min(len(data), 300) - 1), st.integers(-80, -1)))
        data[at] = chance.draw(st.integers(0, 255))
    assert_taken_or_refused(bytes(data))
