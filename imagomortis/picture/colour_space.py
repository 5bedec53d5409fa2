"""Interprets colours that a file declares without a profile: by chunks in PNG, by codes in AVIF and HEIC.

Sources: the PNG specification, third edition, chapter 4.3 (precedence of chunks); ITU-T H.273 (the codes); ITU-R
BT.2100 (PQ and HLG). The curves of television cameras (H.273's 1, 6, 14 and 15) count as sRGB's, as in browsers.
Pictures of high dynamic range are tone-mapped to a screen's range, each colour channel by itself. Paper white, 203
cd/m2 (ITU-R BT.2408), is the reference. Values up to half of it are unchanged. Values up to 1,000 cd/m2 are compressed
into the rest of the range, and values above that become white.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from imagomortis.picture.formats import isobmff, png
from imagomortis.picture.formats.structure import Buffer

_LINEAR, _SRGB, _PQ, _HLG = 8, 13, 16, 18
_EXPONENTS: Final = {4: 2.2, 5: 2.8, _LINEAR: 1.0, 17: 2.6}
_LIKE_SRGB: Final = {1, 2, 6, 7, 11, 12, _SRGB, 14, 15}

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
_SRGB_PRIMARIES: Final = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_PRIMARIES: Final = {
    1: _SRGB_PRIMARIES,
    2: _SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}

_GAMMA_OF_SRGB = 0.45455
"""The value of the ``gAMA`` chunk that means the curve of sRGB."""

_WHITE, _PEAK, _KNEE = 203.0, 1000.0, 0.5
_STEPS = 255 * 4
_D50 = (0.9642, 1.0, 0.8249)
# Bradford's cone responses, for chromatic adaptation to another white
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


@dataclass(frozen=True)
class ColourSpace:
    """Primaries and white as CIE x and y (red, green, blue, white), and the curve from numbers to light.

    The curve is one of H.273's codes, or an ``exponent`` other than 0. If ``is_narrow``, 16 is black and 235 is white.
    """

    primaries: tuple[float, ...]
    transfer: int = _SRGB
    exponent: float = 0.0
    is_narrow: bool = False

    def profile(self, mode: str) -> bytes:
        """Return an ICC profile for a picture of mode L or RGB; empty if its numbers are those of sRGB."""
        return b"" if self == SRGB else _profile(self, is_grey=mode == "L")

    def light(self, signal: float) -> float:
        """Return the screen's light for a signal; both range from 0 to 1."""
        if self.is_narrow:
            signal = min(max((signal * 255 - 16) / 219, 0.0), 1.0)
        if self.exponent:
            return float(signal**self.exponent)
        if self.transfer == _PQ:
            return _on_screen(_pq(signal))
        if self.transfer == _HLG:
            return _on_screen(_hlg(signal))
        return signal / 12.92 if signal <= 0.04045 else float(((signal + 0.055) / 1.055) ** 2.4)


SRGB: Final = ColourSpace(_SRGB_PRIMARIES)

DECLARING: Final = frozenset({"PNG", "AVIF", "HEIF"})
"""Formats that can declare a colour space without a profile, keys of FORMATS."""


def declared(data: Buffer, kind: str) -> ColourSpace | None:
    """Return the colour space that a file of a ``kind`` (a key of FORMATS) declares; None if none, or a profile."""
    if kind == "PNG":
        return _of_chunks(png.colour_chunks(data))
    if kind in DECLARING and (codes := isobmff.colour_codes(data)):
        return _of_codes(*codes)
    return None


def _of_chunks(chunks: dict[bytes, bytes]) -> ColourSpace | None:
    codes = chunks.get(b"cICP", b"")
    if len(codes) == 4 and (space := _of_codes(codes[0], codes[1], is_narrow=codes[3] == 0)):
        return space
    if chunks.keys() & {b"iCCP", b"sRGB"}:
        return None
    gamma, primaries = _gamma(chunks.get(b"gAMA", b"")), _chromaticities(chunks.get(b"cHRM", b""))
    if gamma is None and primaries is None:
        return None
    is_like_srgb = gamma is None or abs(gamma - _GAMMA_OF_SRGB) < 0.0005
    return ColourSpace(primaries or _SRGB_PRIMARIES, exponent=0.0 if is_like_srgb or not gamma else 1 / gamma)


def _of_codes(primaries: int, transfer: int, *, is_narrow: bool = False) -> ColourSpace | None:
    if primaries not in _PRIMARIES or transfer not in _LIKE_SRGB | _EXPONENTS.keys() | {_PQ, _HLG}:
        return None
    curve = _SRGB if transfer in _LIKE_SRGB else transfer
    return ColourSpace(_PRIMARIES[primaries], curve, _EXPONENTS.get(transfer, 0.0), is_narrow)


def _gamma(body: bytes) -> float | None:
    if len(body) != 4:
        return None
    gamma = int.from_bytes(body, "big") / 100_000
    return gamma if 0.1 <= gamma <= 10 else None


def _chromaticities(body: bytes) -> tuple[float, ...] | None:
    """Return primaries and white of a ``cHRM`` chunk, which lists white first; None if they make no sense."""
    if len(body) != 32:
        return None
    values = tuple(value / 100_000 for value in struct.unpack(">8I", body))
    primaries = (*values[2:], *values[:2])
    if max(values) > 1 or not _can_be_mixed(primaries):
        return None
    is_like_srgb = all(abs(one - other) < 0.001 for one, other in zip(primaries, _SRGB_PRIMARIES, strict=True))
    return _SRGB_PRIMARIES if is_like_srgb else primaries


def _can_be_mixed(primaries: tuple[float, ...]) -> bool:
    """Return whether white is a colour that eyes can adapt to, and lies between red, green and blue."""
    columns, white_y = _columns(primaries), primaries[7]
    if white_y < 0.05 or abs(_determinant(columns)) < 0.01:
        return False
    white = _upright(*primaries[6:])
    return min(_applied(_inverse(columns), white)) > 0 and min(_applied(_BRADFORD, white)) > 0.01


def _pq(signal: float) -> float:
    """Return the luminance in cd/m2 for a PQ signal (SMPTE ST 2084)."""
    power = signal ** (32 / 2523)
    return float(10_000 * (max(power - 107 / 128, 0.0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610))


def _hlg(signal: float) -> float:
    """Return the luminance in cd/m2 for a hybrid log-gamma signal on a display of 1,000 cd/m2."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * math.log(4 * a)
    scene = signal**2 / 3 if signal <= 0.5 else (math.exp((signal - c) / a) + b) / 12
    return float(_PEAK * scene**1.2)


def _on_screen(luminance: float) -> float:
    """Return the screen's light for a luminance: linear up to the knee, then compressed by Reinhard's curve."""
    light = luminance / _WHITE
    if light <= _KNEE:
        return light
    above, most = (light - _KNEE) / (1 - _KNEE), (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    return min(1.0, _KNEE + (1 - _KNEE) * above * (1 + above / most**2) / (1 + above))


@lru_cache(maxsize=16)
def _profile(space: ColourSpace, *, is_grey: bool) -> bytes:
    """Return an ICC profile of version 2 (ICC.1:2001-04)."""
    levels = (round(65_535 * space.light(step / _STEPS)) for step in range(_STEPS + 1))
    curve = b"curv\0\0\0\0" + struct.pack(f">I{_STEPS + 1}H", _STEPS + 1, *levels)
    tags = {b"wtpt": _xyz(_D50)}
    if is_grey:
        tags[b"kTRC"] = curve
    else:
        columns = zip(*_to_d50(space.primaries), strict=True)
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _file(b"GRAY" if is_grey else b"RGB ", tags)


def _file(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 9) + b"declared\0" + bytes(78)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0none\0", **tags}
    offset, table, body, places = 128 + 4 + 12 * len(tags), b"", b"", dict[bytes, int]()
    for tag, content in tags.items():
        if content not in places:
            places[content] = offset + len(body)
            body += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", tag, places[content], len(content))
    head = struct.pack(">I4xI4s4s4s12x4s", offset + len(body), 0x02400000, b"mntr", kind, b"XYZ ", b"acsp")
    head += bytes(28) + struct.pack(">iii", *(round(value * 65_536) for value in _D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(value: Vector) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(part * 65_536) for part in value))


def _to_d50(primaries: tuple[float, ...]) -> Matrix:
    """Return the matrix from red, green and blue to CIE XYZ under D50, the white of ICC profiles."""
    columns = _columns(primaries)
    white = _upright(*primaries[6:])
    to_xyz = _product(columns, _diagonal(_applied(_inverse(columns), white)))
    cones, wanted = _applied(_BRADFORD, white), _applied(_BRADFORD, _D50)
    ratios = (wanted[0] / cones[0], wanted[1] / cones[1], wanted[2] / cones[2])
    adaptation = _product(_inverse(_BRADFORD), _product(_diagonal(ratios), _BRADFORD))
    return _product(adaptation, to_xyz)


def _columns(primaries: tuple[float, ...]) -> Matrix:
    """Return the matrix whose columns are red, green and blue, each as x, y and z."""
    red, green, blue = ((x, y, 1 - x - y) for x, y in zip(primaries[:6:2], primaries[1:6:2], strict=True))
    return ((red[0], green[0], blue[0]), (red[1], green[1], blue[1]), (red[2], green[2], blue[2]))


def _upright(x: float, y: float) -> Vector:
    """Return CIE XYZ with Y = 1 for a chromaticity."""
    return (x / y, 1.0, (1 - x - y) / y)


def _diagonal(values: Vector) -> Matrix:
    return ((values[0], 0.0, 0.0), (0.0, values[1], 0.0), (0.0, 0.0, values[2]))


def _applied(matrix: Matrix, vector: Vector) -> Vector:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return (first, second, third)


def _product(one: Matrix, other: Matrix) -> Matrix:
    x, y, z = (_applied(one, column) for column in zip(*other, strict=True))
    return ((x[0], y[0], z[0]), (x[1], y[1], z[1]), (x[2], y[2], z[2]))


def _determinant(m: Matrix) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _inverse(m: Matrix) -> Matrix:
    size = _determinant(m)

    def cofactor(row: int, column: int) -> float:
        (a, b), (c, d) = ((row + 1) % 3, (row + 2) % 3), ((column + 1) % 3, (column + 2) % 3)
        return (m[a][c] * m[b][d] - m[a][d] * m[b][c]) / size

    first, second, third = ((cofactor(0, at), cofactor(1, at), cofactor(2, at)) for at in range(3))
    return (first, second, third)
