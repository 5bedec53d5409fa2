"""Colours that a file declares without a profile: by chunks of PNG, by codes in AVIF and HEIC."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from imagomortis.picture.codec import decode
from imagomortis.picture.colour_space import ColourSpace, declared
from imagomortis.picture.formats import isobmff
from imagomortis.picture.header import Limits
from tests.support.pictures import KINDS, pixel, png, save, wide_profile

MUTED = (200, 100, 100)
P3_PRIMARIES = (31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000)
SRGB_PRIMARIES = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
CICP_P3, CICP_SRGB = (b"cICP", bytes([12, 13, 0, 1])), (b"cICP", bytes([1, 13, 0, 1]))
NARROW = (b"cICP", bytes([1, 13, 0, 0]))
SRGB_CHUNK = (b"sRGB", b"\0")

# linear light to that of sRGB: CSS Color 4, chapter 18, and ITU-R BT.2407
FROM_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
FROM_BT2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chrm(values: tuple[int, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *values)


def flat(*chunks: tuple[bytes, bytes], colour: tuple[int, ...] = MUTED, profile: bytes | None = None) -> bytes:
    """Return a PNG of one colour whose chunks say what it means: grey, grey with alpha, RGB or RGBA."""
    notes = PngImagePlugin.PngInfo()
    for kind, body in chunks:
        notes.add(kind, body)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(colour)]
    image = Image.new(mode, (16, 16), colour if len(colour) > 1 else colour[0])
    return save(image, "PNG", pnginfo=notes, icc_profile=profile)


def shown(data: bytes, scale: float = 1.0) -> tuple[int, ...]:
    """Return the colour of a picture's fifth pixel across and down."""
    return pixel(decode(data, Limits(), scale).image, 4, 4)


def light(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


def level(light: float) -> int:
    bounded = min(max(light, 0.0), 1.0)
    return round(255 * (bounded * 12.92 if bounded <= 0.0031308 else 1.055 * bounded ** (1 / 2.4) - 0.055))


def moved(matrix: tuple[tuple[float, ...], ...], colour: tuple[int, ...] = MUTED) -> tuple[int, ...]:
    """Return what a colour in other primaries, with the curve of sRGB, is in sRGB."""
    lights = [light(each / 255) for each in colour]
    return tuple(level(sum(a * b for a, b in zip(row, lights, strict=True))) for row in matrix)


def coded(kind: str, primaries: int, transfer: int, colour: tuple[int, ...] = MUTED) -> bytes:
    """Return an AVIF or a HEIC of one colour with codes of H.273."""
    options: dict[str, Any] = {"chroma": 444} if kind == "HEIF" else {"subsampling": "4:4:4"}
    data = save(Image.new("RGB", (64, 64), colour), kind, quality=100, **options)
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class TestPng:
    def test_display_p3_is_honoured(self) -> None:
        assert shown(flat(CICP_P3)) == pytest.approx(moved(FROM_P3), abs=1)
        assert shown(flat(CICP_P3)) != pytest.approx(MUTED, abs=5)

    def test_bt2020_is_honoured(self) -> None:
        assert shown(flat((b"cICP", bytes([9, 14, 0, 1])))) == pytest.approx(moved(FROM_BT2020), abs=1)

    def test_primaries_are_honoured(self) -> None:
        assert shown(flat(gama(0.45455), chrm(P3_PRIMARIES))) == pytest.approx(moved(FROM_P3), abs=1)
        assert shown(flat(chrm(P3_PRIMARIES))) == pytest.approx(moved(FROM_P3), abs=1)

    def test_a_gamma_is_honoured(self) -> None:
        assert shown(flat(gama(1.0), colour=(128, 128, 64))) == pytest.approx((188, 188, 137), abs=1)

    @pytest.mark.parametrize("colour", [(128,), (128, 90), (128, 255)])
    def test_a_gamma_of_greys_is_honoured(self, colour: tuple[int, ...]) -> None:
        assert shown(flat(gama(1.0), colour=colour))[:3] == pytest.approx((188, 188, 188), abs=1)

    def test_deep_greys_and_one_transparent_grey_have_their_gamma(self) -> None:
        row = struct.pack(">8H", *[128 * 257] * 7, 5)
        data = png(8, 8, 16, 0, row * 8, gama(1.0), (b"tRNS", struct.pack(">H", 5)))
        assert shown(data) == pytest.approx((188, 188, 188, 255), abs=1)

    def test_a_palette_has_its_gamma(self) -> None:
        data = png(8, 8, 8, 3, bytes(64), gama(1.0), (b"PLTE", bytes((128, 128, 64))))
        assert shown(data) == pytest.approx((188, 188, 137), abs=1)

    def test_transparency_stays(self) -> None:
        assert shown(flat(CICP_P3, colour=(*MUTED, 90))) == pytest.approx((*moved(FROM_P3), 90), abs=1)

    @pytest.mark.parametrize("colour", [MUTED, (*MUTED, 90)])
    def test_a_smaller_picture_has_its_colours_moved_once(self, colour: tuple[int, ...]) -> None:
        assert shown(flat(CICP_P3, colour=colour), 0.5) == pytest.approx(shown(flat(CICP_P3, colour=colour)), abs=1)

    def test_a_narrow_range_is_made_full(self) -> None:
        assert shown(flat(NARROW, colour=(16, 126, 235))) == pytest.approx((0, 128, 255), abs=1)

    @pytest.mark.parametrize(
        ("chunks", "profile", "expected"),
        [
            ([CICP_SRGB], wide_profile(), MUTED),
            ([CICP_P3, SRGB_CHUNK], None, moved(FROM_P3)),
            ([CICP_P3], srgb_profile(), moved(FROM_P3)),
            ([SRGB_CHUNK, gama(1.0), chrm(P3_PRIMARIES)], None, MUTED),
        ],
    )
    def test_the_most_precise_declaration_wins(
        self, chunks: list[tuple[bytes, bytes]], profile: bytes | None, expected: tuple[int, ...]
    ) -> None:
        assert shown(flat(*chunks, profile=profile)) == pytest.approx(expected, abs=1)

    @pytest.mark.parametrize("chunk", [gama(1.0), chrm(P3_PRIMARIES), (b"cICP", bytes([250, 13, 0, 1]))])
    def test_a_profile_outranks_gamma_primaries_and_unknown_codes(self, chunk: tuple[bytes, bytes]) -> None:
        assert shown(flat(chunk, profile=wide_profile())) == shown(flat(profile=wide_profile()))

    @pytest.mark.parametrize(
        "chunks",
        [
            [gama(0.45455)],
            [gama(0.45455), chrm(SRGB_PRIMARIES)],
            [SRGB_CHUNK],
            [CICP_SRGB],
            [(b"cICP", bytes([2, 2, 0, 1]))],
            [(b"cICP", bytes([1, 1, 0, 1]))],
        ],
    )
    def test_declarations_of_srgb_change_nothing(self, chunks: list[tuple[bytes, bytes]]) -> None:
        assert shown(flat(*chunks)) == MUTED

    @pytest.mark.parametrize(
        "chunk",
        [
            gama(0.0),
            gama(900.0),
            chrm((0,) * 8),
            chrm((31_270, 0, *P3_PRIMARIES[2:])),
            chrm((31_270, 32_900, *(30_000, 30_000) * 3)),
            chrm((2**32 - 1,) * 8),
            (b"cICP", b"\x0c\x0d\0"),
            (b"cICP", bytes([12, 99, 0, 1])),
        ],
    )
    def test_nonsense_is_ignored(self, chunk: tuple[bytes, bytes]) -> None:
        data = png(8, 8, 8, 2, bytes(MUTED) * 64, chunk)
        assert declared(data, "PNG") is None
        assert pixel(decode(data, Limits()).image, 4, 4) == MUTED

    @pytest.mark.parametrize("chunk", [(b"gAMA", b"\0\0"), (b"cHRM", bytes(31))])
    def test_a_chunk_of_another_length_is_ignored(self, chunk: tuple[bytes, bytes]) -> None:
        assert declared(png(8, 8, 8, 2, bytes(MUTED) * 64, chunk), "PNG") is None

    def test_chunks_after_the_pixels_are_ignored(self) -> None:
        data = flat()
        end = len(data) - 12
        assert declared(data[:end] + flat(CICP_P3)[33:53] + data[end:], "PNG") is None


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
class TestCodes:
    def test_display_p3_is_honoured(self, kind: str) -> None:
        assert shown(coded(kind, 12, 13)) == pytest.approx(moved(FROM_P3), abs=4)
        assert shown(coded(kind, 1, 13)) == pytest.approx(MUTED, abs=3)

    def test_bt2020_is_honoured(self, kind: str) -> None:
        assert shown(coded(kind, 9, 14)) == pytest.approx(moved(FROM_BT2020), abs=4)

    def test_codes_of_rare_curves_are_ignored(self, kind: str) -> None:
        assert shown(coded(kind, 12, 10)) == pytest.approx(MUTED, abs=3)

    def test_a_profile_outranks_the_codes(self, kind: str) -> None:
        data = save(Image.new("RGB", (64, 64), MUTED), kind, quality=100, icc_profile=wide_profile())
        assert isobmff.colour_codes(data) is None
        wide = shown(flat(profile=wide_profile()))
        assert shown(data) == pytest.approx(wide, abs=4)
        assert wide != pytest.approx(MUTED, abs=5)


class TestHighDynamicRange:
    @pytest.mark.parametrize(
        ("transfer", "signal", "expected"),
        [
            (16, 0, 0.0),
            (16, 130, 100 / 203),
            (16, 148, 0.753),
            (16, 192, 1.0),
            (16, 255, 1.0),
            (18, 0, 0.0),
            (18, 191, 0.753),
            (18, 255, 1.0),
        ],
    )
    def test_light_up_to_half_of_white_stays_and_the_rest_is_pressed_together(
        self, transfer: int, signal: int, expected: float
    ) -> None:
        """100 cd/m2 are at 51% of PQ's range, white is at 58% of PQ and 75% of HLG, 1,000 cd/m2 at 75% of PQ."""
        data = flat((b"cICP", bytes([9, transfer, 0, 1])), colour=(signal,) * 3)
        assert shown(data) == pytest.approx((level(expected),) * 3, abs=3)

    @pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
    def test_codes_mean_the_same_in_every_kind(self, kind: str) -> None:
        chunk = (b"cICP", bytes([9, 16, 0, 1]))
        assert shown(coded(kind, 9, 16, (120, 130, 140))) == pytest.approx(
            shown(flat(chunk, colour=(120, 130, 140))), abs=8
        )


@given(
    st.sampled_from([1, 4, 5, 8, 13, 16, 17, 18]),
    st.booleans(),
    st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
)
def test_more_signal_is_never_less_light(transfer: int, is_narrow: bool, signals: list[float]) -> None:
    exponent = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}.get(transfer, 0.0)
    space = ColourSpace((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290), transfer, exponent, is_narrow)
    low, high = (space.light(signal) for signal in signals)
    assert 0 <= low <= high <= 1


@given(st.lists(st.integers(0, 100_000), min_size=8, max_size=8))
@example(list(P3_PRIMARIES))
@example([100_000, 5_000, *P3_PRIMARIES[2:]])
def test_any_primaries_are_honoured_or_ignored(values: list[int]) -> None:
    space = declared(png(1, 1, 8, 2, bytes(3), chrm(tuple(values))), "PNG")
    assert space is None or ImageCms.ImageCmsProfile(io.BytesIO(space.profile("RGB") or srgb_profile()))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("jpeg", "png"))])
def test_ordinary_pictures_declare_nothing(kind: str) -> None:
    data = KINDS[kind]()
    assert declared(data, "PNG" if kind.startswith("png") else "JPEG") is None


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_is_written_is_one(mode: str) -> None:
    space = ColourSpace((0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.3290))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(space.profile(mode)))
    assert profile.profile.xcolor_space == {"RGB": "RGB ", "L": "GRAY"}[mode]
    assert space.profile(mode)[:4] == len(space.profile(mode)).to_bytes(4, "big")
