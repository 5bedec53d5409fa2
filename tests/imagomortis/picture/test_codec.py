"""Pixels from files and files from pixels: upright, in sRGB, bounded, and back again."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imagomortis.errors import BrokenPicture, RefusedPicture, TransformFailed, UnsupportedPicture
from imagomortis.picture.codec import Kind, Output, choose_kind, decode, encode, thumbnail, verify
from imagomortis.picture.header import Limits
from tests.support.pictures import (
    HARMLESS_TAILS,
    KINDS,
    animated,
    deep_colour_png,
    deep_grey_png,
    deep_grey_tiff,
    difference,
    faded,
    grey_tiff,
    interlaced_png,
    levels,
    linear_grey_profile,
    lying_jpeg,
    lying_png,
    opened,
    oriented,
    photo,
    photo_with_exif,
    pixel,
    png,
    press_profile,
    quarters,
    save,
    scene,
    truncated,
    twelve_bit_tiff,
    wide_profile,
)

LIMITS = Limits()
CAMERA, MODEL, ORIENTATION, COPYRIGHT, EXPOSURE = 0x010F, 0x0110, 0x0112, 0x8298, 0x8769
APERTURE, SENSITIVITY, TAKEN, LENS, LENS_RANGE = 0x829D, 0x8827, 0x9003, 0xA434, 0xA432


def decoded(data: bytes, scale: float = 1.0) -> Image.Image:
    """Return the pixels of a file as results are made from."""
    return decode(data, LIMITS, scale).image


def first_row(data: bytes) -> list[int]:
    """Return the red levels of a file's first row."""
    image = decoded(data)
    return levels(image.crop((0, 0, image.width, 1)))


def flat(mode: str, colour: Any, kind: str = "PNG", **options: Any) -> tuple[int, ...]:
    """Return what a picture of one colour decodes to."""
    image = Image.new(mode, (16, 16), colour)
    return pixel(decoded(save(image, kind, **options)), 8, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_decodes_to_rgb_or_rgba(kind: str) -> None:
    image = decoded(KINDS[kind]())
    assert image.mode == ("RGBA" if "alpha" in kind else "RGB")
    assert image.getextrema() != ((0, 0),) * 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_the_full_check_also_from_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(KINDS[kind]())
    with path.open("rb") as file:
        assert verify(file.fileno(), LIMITS) == verify(KINDS[kind](), LIMITS)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-mpf", "png", "webp", "heic", "avif"])
@pytest.mark.parametrize("tail", HARMLESS_TAILS)
def test_pictures_with_a_camera_s_tail_decode(kind: str, tail: str) -> None:
    verify(KINDS[kind]() + HARMLESS_TAILS[tail], LIMITS)
    decode(KINDS[kind]() + HARMLESS_TAILS[tail], LIMITS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright(kind: str, orientation: int) -> None:
    assert difference(decoded(oriented(kind, orientation)), quarters()) < 4


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "HEIF"])
def test_smaller_pictures_come_out_upright_too(kind: str) -> None:
    small = decoded(oriented(kind, 6), scale=0.5)
    assert small.size == (32, 24)
    assert difference(small, quarters(32, 24)) < 8


@pytest.mark.parametrize("data", [deep_grey_png(), deep_grey_tiff("<"), deep_grey_tiff(">"), deep_colour_png()])
def test_sixteen_bits_are_scaled_not_clipped(data: bytes) -> None:
    assert first_row(data) == list(range(256))


@pytest.mark.parametrize(
    "data",
    [
        twelve_bit_tiff(),
        grey_tiff(struct.pack("<256I", *(level * 0x1010101 for level in range(256))) * 2, bits=32),
        grey_tiff(struct.pack("<256H", *(65_535 - level * 257 for level in range(256))) * 2, white_is_zero=True),
    ],
    ids=["12 bits", "32 bits", "white is zero"],
)
def test_rare_tiffs_are_as_bright_as_they_say(data: bytes) -> None:
    assert first_row(data) == list(range(256))


@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "key"),
    [
        (2, 0, bytes([0b01101100]), (1,)),
        (4, 0, bytes([0x37, 0x5F]), (3,)),
        (16, 0, struct.pack(">4H", 0x1234, 0x1235, 0x8000, 0xFFFF), (0x1234,)),
        (16, 2, struct.pack(">12H", 0x1234, 0x5678, 0x9ABC, *[0x8000] * 9), (0x1234, 0x5678, 0x9ABC)),
    ],
)
def test_a_colour_that_a_png_calls_transparent_is_so_at_any_depth(
    depth: int, colour_type: int, row: bytes, key: tuple[int, ...]
) -> None:
    image = decoded(png(4, 1, depth, colour_type, row, (b"tRNS", struct.pack(f">{len(key)}H", *key))))
    assert levels(image, 3) == [0, 255, 255, 255]


def test_a_kind_of_tiff_that_cannot_be_read_is_not_called_damaged() -> None:
    with pytest.raises(UnsupportedPicture, match="rare kind"):
        verify(grey_tiff(bytes(256 * 2 * 5), bits=40), LIMITS)


def test_floating_point_pictures_are_scaled() -> None:
    ramp = Image.linear_gradient("L").rotate(90).convert("F")
    for scale in (1.0, 1 / 255):
        assert first_row(save(ramp.point(lambda level, by=scale: level * by + 0), "TIFF"))[::51] == [
            0,
            51,
            102,
            153,
            204,
            255,
        ]


def test_cmyk_without_a_profile_is_recognisable() -> None:
    assert flat("CMYK", (255, 0, 0, 0), "JPEG") == pytest.approx((0, 255, 255), abs=3)
    assert flat("CMYK", (0, 0, 0, 0), "TIFF") == (255, 255, 255)
    assert flat("CMYK", (0, 0, 0, 255), "TIFF") == (0, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_profile_of_a_press_is_honoured(kind: str) -> None:
    """This press's cyan is a deep blue, which the plain arithmetic above would never give."""
    red, green, blue = flat("CMYK", (255, 0, 0, 0), kind, icc_profile=press_profile())
    assert red < 120
    assert green < 20
    assert blue > 230
    assert flat("CMYK", (0, 0, 0, 0), kind, icc_profile=press_profile()) == pytest.approx((255, 255, 255), abs=3)


def test_a_wide_profile_is_honoured() -> None:
    """Half-saturated colours of a wider space are stronger in sRGB."""
    wide = flat("RGB", (200, 100, 100), icc_profile=wide_profile())
    assert wide[0] > 205
    assert wide[1] < 97


def test_a_profile_changes_transparent_pictures_too() -> None:
    wide = flat("RGBA", (200, 100, 100, 90), icc_profile=wide_profile())
    assert wide[0] > 205
    assert wide[3] == 90


@pytest.mark.parametrize(("mode", "colour"), [("L", 128), ("LA", (128, 90)), ("LA", (128, 255))])
def test_a_grey_profile_is_honoured(mode: str, colour: Any) -> None:
    assert flat(mode, colour, icc_profile=linear_grey_profile())[:3] == pytest.approx((188, 188, 188), abs=1)


def test_the_profile_of_srgb_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(decoded(save(scene(60, 40), "PNG", icc_profile=profile)), scene(60, 40)) == 0


@pytest.mark.parametrize("profile", [b"junk", wide_profile()[:200], press_profile(), linear_grey_profile()])
def test_a_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    assert flat("RGB", (200, 100, 100), icc_profile=profile) == (200, 100, 100)


def test_a_smaller_picture_has_its_profile_applied() -> None:
    data = save(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), "JPEG", icc_profile=press_profile())
    assert difference(decoded(data, 0.25), decoded(data).resize((16, 16))) < 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    red, _, blue = pixel(decoded(animated(kind)), 20, 15)
    assert red > 240
    assert blue < 15


def test_transparent_palettes_become_alpha() -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 4, 8))
    image = decoded(save(palette, "PNG", transparency=0))
    assert pixel(image, 0, 0)[3] == 0
    assert image.getpixel((7, 0)) == (0, 0, 255, 255)


def test_an_alpha_channel_with_nothing_in_it_is_dropped() -> None:
    assert decoded(save(scene(60, 40).convert("RGBA"), "PNG")).mode == "RGB"


@pytest.mark.parametrize(
    "kind", ["jpeg", "png", "png-alpha", "png-palette", "webp", "gif", "tiff-cmyk", "heic", "png-16-bit"]
)
def test_a_smaller_picture_looks_like_the_whole_one(kind: str) -> None:
    data = KINDS[kind]()
    whole, half = decoded(data), decoded(data, 0.5)
    assert half.size == (round(whole.width / 2), round(whole.height / 2))
    assert half.mode == whole.mode
    assert difference(half, whole.resize(half.size, Image.Resampling.BICUBIC)) < 3


@pytest.mark.parametrize(
    "kind", ["jpeg", "jpeg-progressive", "jpeg-cmyk", "png", "webp", "gif", "bmp", "tiff-lzw", "avif", "heic"]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated_pictures_are_refused(kind: str, share: float) -> None:
    with pytest.raises(RefusedPicture):
        verify(truncated(KINDS[kind](), share), LIMITS)


@pytest.mark.parametrize("size", [(64, 56), (64, 96), (128, 48), (640, 480), (5000, 4000)])
@pytest.mark.parametrize("forge", [lying_jpeg, lying_png])
def test_a_picture_with_fewer_pixels_than_claimed_is_refused(forge: object, size: tuple[int, int]) -> None:
    with pytest.raises(BrokenPicture):
        verify(forge(*size), LIMITS)  # type: ignore[operator]


@pytest.mark.parametrize("rows", [56, 96, 1000])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_tiff_that_claims_more_rows_than_it_has_is_refused(rows: int, compression: str) -> None:
    data = bytearray(save(quarters(), "TIFF", compression=compression))
    at = next(data.index(entry) for kind in (3, 4) if (entry := struct.pack("<HHI", 257, kind, 1)) in data) + 8
    data[at : at + 4] = struct.pack("<I", rows)
    with pytest.raises(BrokenPicture):
        verify(bytes(data), LIMITS)


def test_an_interlaced_png_with_all_its_rows_is_whole() -> None:
    verify(interlaced_png(), LIMITS)
    assert difference(decoded(interlaced_png()), Image.new("RGB", (13, 11), (40, 80, 120))) == 0


def test_pixels_that_are_damaged_are_refused_by_the_check() -> None:
    data = bytearray(KINDS["png"]())
    middle = data.index(b"IDAT") + 4 + 200
    data[middle : middle + 400] = bytes(400)
    with pytest.raises(BrokenPicture, match="damaged or cut off"):
        verify(bytes(data), LIMITS)


def test_flat_and_restarted_jpegs_are_whole() -> None:
    """Little data for many pixels, and markers amidst the data, are no sign of a lie."""
    grey = Image.new("RGB", (3000, 2000), "#808080")
    for options in ({}, {"optimize": True}, {"progressive": True}, {"restart_marker_blocks": 5}):
        verify(save(grey, "JPEG", **options), LIMITS)


kinds = st.sampled_from(["jpeg", "png", "webp", "avif"])


@given(kind=kinds, width=st.integers(1, 90), height=st.integers(1, 90), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_encoded_pixels_decode_to_nearly_the_same(kind: Kind, width: int, height: int, seed: int) -> None:
    image = scene(max(width, 2), max(height, 2), seed)
    encoded = encode(image, Output(kind, quality=95), "JPEG")
    back = decode(encoded.data, LIMITS)
    assert (encoded.width, encoded.height) == image.size == back.image.size
    assert back.header.media_type == encoded.media_type
    # of a few pixels, colours are shared among too many
    assert difference(back.image, image) < (9 if min(image.size) >= 16 else 20)


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_transparency_survives(kind: Kind) -> None:
    back = decode(encode(faded(), Output(kind, 95), "PNG").data, LIMITS).image
    assert difference(back.getchannel("A"), faded().getchannel("A")) < 3


def test_without_loss_means_every_pixel() -> None:
    back = opened(encode(scene(60, 40), Output("webp", lossless=True), "JPEG").data)
    assert difference(back, scene(60, 40)) == 0


def test_less_quality_makes_smaller_files() -> None:
    for kind in ("jpeg", "webp", "avif"):
        sizes = [len(encode(scene(200, 150), Output(kind, quality), "JPEG").data) for quality in (30, 60, 95)]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("original", "image", "media_type"),
    [
        ("JPEG", scene(20, 20), "image/jpeg"),
        ("PNG", scene(20, 20), "image/png"),
        ("WEBP", scene(20, 20), "image/webp"),
        ("AVIF", scene(20, 20), "image/avif"),
        ("HEIF", scene(20, 20), "image/jpeg"),
        ("TIFF", scene(20, 20), "image/jpeg"),
        ("GIF", scene(20, 20), "image/jpeg"),
        ("BMP", scene(20, 20), "image/jpeg"),
        ("HEIF", faded(), "image/png"),
        ("GIF", faded(), "image/png"),
        ("JPEG", faded(), "image/png"),
    ],
)
def test_a_result_keeps_the_original_s_format_where_pages_show_it(
    original: str, image: Image.Image, media_type: str
) -> None:
    assert encode(image, Output(), original).media_type == media_type


def test_huge_results_become_avif_only_on_demand() -> None:
    huge = (10_000, 6_000)
    assert choose_kind(Output(), "AVIF", huge, transparent=False) == "jpeg"
    assert choose_kind(Output(), "AVIF", (1000, 600), transparent=False) == "avif"
    assert choose_kind(Output("avif"), "AVIF", huge, transparent=False) == "avif"


def test_a_result_that_the_original_s_format_cannot_hold_becomes_another() -> None:
    assert encode(Image.new("RGB", (16_384, 1)), Output(), "WEBP").media_type == "image/jpeg"
    assert encode(Image.new("RGBA", (16_384, 1)), Output(), "WEBP").media_type == "image/png"


def test_jpeg_shows_the_background_through_what_is_transparent() -> None:
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    result = opened(encode(clear, Output("jpeg", background="#3366cc"), "PNG").data)
    assert result.getpixel((8, 8)) == pytest.approx((0x33, 0x66, 0xCC), abs=3)


def test_pixels_that_a_format_cannot_hold_are_refused_with_advice() -> None:
    with pytest.raises(TransformFailed, match=r"a WEBP file may have at most 16,383.* another format"):
        encode(Image.new("RGB", (16_384, 1)), Output("webp"), "JPEG")


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (1000, 700, (512, 358)),
        (1920, 1080, (512, 288)),
        (900, 1500, (307, 512)),
        (6000, 900, (1920, 288)),
        (300, 900, (288, 864)),
        (5000, 100, (2048, 41)),
        (90, 60, (90, 60)),
    ],
)
def test_a_thumbnail_is_bounded_by_its_longest_side_or_by_its_shortest_if_it_is_narrow(
    width: int, height: int, size: tuple[int, int]
) -> None:
    small = thumbnail(scene(width, height))
    assert (small.width, small.height) == size == opened(small.data).size
    assert difference(opened(small.data), scene(width, height).resize(size)) < 6


@pytest.mark.parametrize(
    ("image", "media_type"),
    [
        (scene(512, 300), "image/jpeg"),
        (scene(513, 300), "image/webp"),
        (faded(), "image/webp"),
    ],
)
def test_only_the_thumbnail_of_a_small_opaque_picture_is_a_jpeg(image: Image.Image, media_type: str) -> None:
    assert thumbnail(image).media_type == media_type


def test_a_thumbnail_keeps_transparency() -> None:
    assert opened(thumbnail(faded()).data).mode == "RGBA"


def test_results_name_the_camera_but_no_person_no_place_and_no_serial_number() -> None:
    picture = decode(photo_with_exif(6), LIMITS)
    notes = opened(encode(picture.image, Output(), "JPEG", picture.exif).data).getexif()
    assert notes[CAMERA] == "Kamera AG"
    assert notes.get_ifd(EXPOSURE)[APERTURE] == 2.8
    assert notes[ORIENTATION] == 1
    assert set(notes) == {CAMERA, MODEL, ORIENTATION, COPYRIGHT, EXPOSURE}
    assert set(notes.get_ifd(EXPOSURE)) == {APERTURE, SENSITIVITY, TAKEN}


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_long_metadata_is_cut(kind: Kind) -> None:
    given = Image.Exif()
    given[COPYRIGHT] = "c" * 100_000
    given.get_ifd(EXPOSURE).update({LENS: "l" * 513, LENS_RANGE: (24.0,) * 20_000})
    picture = decode(save(scene(60, 40), "PNG", exif=given.tobytes()), LIMITS)
    notes = opened(encode(picture.image, Output(kind), "PNG", picture.exif).data).getexif()
    assert notes[COPYRIGHT] == "c" * 512
    assert notes.get_ifd(EXPOSURE)[LENS] == "l" * 512
    assert len(notes.get_ifd(EXPOSURE)[LENS_RANGE]) == 512


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_metadata_can_be_left_out(kind: Kind) -> None:
    picture = decode(photo_with_exif(), LIMITS)
    assert opened(encode(picture.image, Output(kind), "JPEG", picture.exif).data).getexif()
    assert not opened(encode(picture.image, Output(kind, keep_metadata=False), "JPEG", picture.exif).data).getexif()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on them
def test_damaged_metadata_is_no_reason_to_refuse() -> None:
    data = photo_with_exif()
    for at in range(data.index(b"Exif") + 6, data.index(b"Exif") + 120, 7):
        broken = data[:at] + b"\xff\xfe\xfd\xfc\xfb\xfa\xf9" + data[at + 7 :]
        picture = decode(broken, LIMITS)
        assert set(picture.image.size) == {64, 48}
        encode(picture.image, Output(), "JPEG", picture.exif)


def test_other_notes_of_the_original_are_not_carried_on() -> None:
    noted = save(scene(60, 40), "PNG", dpi=(300, 300))
    assert "dpi" not in opened(encode(decoded(noted), Output("png"), "PNG").data).info


def test_a_photo_decodes_as_pillow_does() -> None:
    assert difference(decoded(photo()), opened(photo())) == 0
