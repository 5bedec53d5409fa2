"""Decodes pictures into pixels, upright and in sRGB, and encodes pixels as files."""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import IO, Any, Final, Literal

from PIL import Image, UnidentifiedImageError

from imagomortis.errors import BrokenPicture, ImagoMortisError, RefusedPicture, TransformFailed, UnsupportedPicture
from imagomortis.picture import encoding_search, metadata
from imagomortis.picture.bit_depth import scale_transparent_colour
from imagomortis.picture.colour import COLOUR_SPACE, to_srgb
from imagomortis.picture.colour_space import DECLARING, declared
from imagomortis.picture.formats import jpeg, png
from imagomortis.picture.header import FORMATS, Header, Limits, contents, read_header
from imagomortis.picture.thumbhash import thumbhash

THUMBNAIL_SIDE: Final = 512
"""Longest side of a thumbnail, in pixels, unless that makes the other side too short."""

THUMBNAIL_SHORT_SIDE: Final = 288
"""Shortest side of a thumbnail of a larger picture, in pixels. Pictures of up to 16:9 have it by their longest side."""

THUMBNAIL_LONGEST: Final = 2048
"""Longest side of any thumbnail, in pixels."""

Kind = Literal["jpeg", "png", "webp", "avif"]
"""A file format of results."""

MEDIA_TYPES: Final[dict[Kind, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
}
"""The media type of every result format."""

LONGEST_SIDES: Final[dict[Kind, int]] = {"jpeg": 65_500, "png": 65_500, "webp": 16_383, "avif": 16_384}
"""The longest side in pixels that a format allows, or that its encoder accepts."""

SEARCHED_PIXELS: Final = 2_000_000
"""The automatic quality of a picture with more pixels is found on a smaller copy."""

AUTO_AVIF_PIXELS: Final = 4_000_000
"""Largest picture for which the automatic format tries AVIF, whose encoder takes about a second for so many pixels.

The budget is one of pixels and not of measured time, so the same picture always gets the same format.
"""

_QUALITIES: dict[Kind, int] = {"jpeg": 90, "png": 100, "webp": 85, "avif": 65}
# the AVIF encoder needs 19 bytes of memory per pixel, so larger results become AVIF only on demand
_MOST_AVIF_PIXELS = 50_000_000
_SAME_KIND: dict[str, Kind] = {"PNG": "png", "WEBP": "webp", "AVIF": "avif"}
_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pi_heif.HeifImagePlugin",
}
# modules that Pillow and `colour` import while they work
_IMPORTED_LATE = ("PIL.MpoImagePlugin", "PIL.ImageCms", "PIL.ImageSequence", "PIL.PaletteFile", "PIL.JpegPresets")
# the transposition that turns a picture upright, by EXIF orientation
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED_BY_DECODER = {"HEIF", "TIFF"}
# the orientations that turn a stored picture's right column, or its bottom row, to the left; and to the top
_ENDS_AT_LEFT, _ENDS_AT_TOP = {2, 3, 6, 7}, {3, 4, 7, 8}
# The scales of the JPEG decoder, and the pixels a side that it must then leave for each one of the result. The result
# differs from that of a full decode by 45 dB or more, and by 43 if the picture is sharper than cameras make them.
_REDUCTIONS, _SPARE = (8, 4, 2), 1.85
_READ_AHEAD = bytes(16)

_Reduced = tuple[str, tuple[int, int, float, float]]  # the mode, and the part of the pixels that shows the picture

# the limits are checked before Pillow opens a file, so its own limit is off
Image.MAX_IMAGE_PIXELS = None
logging.getLogger("PIL").setLevel(logging.WARNING)


def load() -> None:
    """Import every decoder and encoder now, because the process cannot open their files later."""
    Image.preinit()
    for plugin in (*_PLUGINS.values(), *_IMPORTED_LATE):
        import_module(plugin)


@dataclass(frozen=True)
class View:
    """The full size of a picture that was decoded at a reduced scale, and the part of the pixels that shows it.

    The last column and row can show the picture in part only, so the part's left, top, right and bottom are fractions.
    """

    size: tuple[int, int]
    part: tuple[float, float, float, float]

    @classmethod
    def of(cls, image: Image.Image) -> View:
        """Return the view of a picture that has its full size."""
        return cls(image.size, (0, 0, *image.size))

    def cut(self, box: tuple[int, int, int, int]) -> View:
        """Return the view of a box of the full picture."""
        return View((box[2] - box[0], box[3] - box[1]), self.inside(box))

    def inside(self, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
        """Return where a box of the full picture lies among the pixels."""
        left, top, right, bottom = self.part
        across, down = (right - left) / self.size[0], (bottom - top) / self.size[1]
        return (
            left + box[0] * across,
            top + box[1] * down,
            min(right, left + box[2] * across),
            min(bottom, top + box[3] * down),
        )


@dataclass(frozen=True)
class Picture:
    """A decoded picture: RGB or RGBA pixels, upright, in sRGB; its file's header; the EXIF block for its results.

    ``view`` is given if the pixels were decoded at a reduced scale.
    """

    image: Image.Image
    header: Header
    exif: bytes = b""
    view: View | None = None


@dataclass(frozen=True)
class Output:
    """How to encode a result; None means a choice that suits the original and the pixels.

    The kind "auto" means WebP or AVIF, by what is smaller. The quality "auto" means the lowest one that keeps the
    picture similar, see ``encoding_search``.
    """

    kind: Kind | Literal["auto"] | None = None
    quality: int | Literal["auto"] | None = None
    lossless: bool = False
    background: str = "#ffffff"
    keep_metadata: bool = True
    progressive: bool = False
    max_bytes: int | None = None

    def for_preview(self, kind: Kind, most_quality: int) -> Output:
        """Return how to encode a preview of a ``kind`` result: quickly, small and without metadata."""
        quick: Kind = "webp" if kind == "avif" else kind
        quality = min(self.quality, most_quality) if isinstance(self.quality, int) else most_quality
        return Output(quick, quality, lossless=False, background=self.background, keep_metadata=False)


@dataclass(frozen=True)
class Encoded:
    """An encoded picture: its media type, its size in pixels and its bytes; of a thumbnail also the hash."""

    media_type: str
    width: int
    height: int
    data: bytes
    thumbhash: bytes = b""


def verify(source: bytes | int, limits: Limits, header: Header | None = None) -> Header:
    """Check a picture's header, decode the whole picture once as cheaply as its format allows, and return the header.

    ``source`` is the file's bytes or an open descriptor; ``header`` is given if it has been read already. Raises what
    ``read_header`` raises, and BrokenPicture if the picture cannot be decoded to its end.
    """
    header = header or read_header(source, limits)
    with _stream(source) as stream, _opened(_endless(stream, header), header) as image:
        if header.format == "JPEG":
            # at any scale the compressed data is read in full, and the smallest scale costs the least computation
            image.draft("L", (1, 1))
        _load(image, header)
    if header.format == "PNG":
        png.check_pixels(contents(source, limits))
    return header


def decode(
    source: bytes | int, limits: Limits, scale: float = 1.0, header: Header | None = None, surplus: float = 1.0
) -> Picture:
    """Decode a picture's first frame in as little memory as its format allows; ``scale`` below 1 makes it smaller.

    ``header`` is given if it has been read already. ``surplus`` is how many pixels a side the picture has for one that
    the caller needs: a JPEG is decoded at a reduced scale if that leaves enough of them. Raises what ``read_header``
    raises, and BrokenPicture if the picture cannot be decoded to its end.
    """
    header = header or read_header(source, limits)
    width, height = _opened_size(header)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    # the picture refers to the file's bytes, and closing the stream frees them
    with _stream(source) as stream, _opened(stream, header) as image:
        reduced = None
        if header.format == "JPEG":
            reduced = image.draft("RGB", target if scale < 1 else _least_size(image.size, surplus))
        _load(image, header)
        exif = metadata.kept(image)
        if header.format in DECLARING:
            image.info[COLOUR_SPACE] = declared(contents(source, limits), header.format)
        pixels = _shrink(image, target) if scale < 1 else image
        pixels = to_srgb(pixels)
        # Pillow would write its own notes into results, and they would keep the file's bytes in memory
        pixels.info = {}
    if header.format not in _TURNED_BY_DECODER and header.orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[header.orientation])
    return Picture(pixels, header, exif, _view(header, pixels.size, reduced) if scale >= 1 else None)


def encode(image: Image.Image, output: Output, original: str, exif: bytes = b"") -> Encoded:
    """Encode pixels as a file; ``original`` is the original's format, a key of FORMATS.

    Raises TransformFailed if the picture is larger than the format allows.
    """
    kind = choose_kind(output, original, image.size, image.mode == "RGBA")
    if max(image.size) > LONGEST_SIDES[kind]:
        raise too_long(kind, image.size)
    if image.mode == "RGBA" and kind == "jpeg":
        image = _flatten(image, output.background)
    kept = {"exif": exif} if exif and output.keep_metadata else {}
    kinds: list[Kind] = [kind]
    if output.kind == "auto" and not output.lossless and image.width * image.height <= AUTO_AVIF_PIXELS:
        kinds.append("avif")
    smallest = min((_fitting(image, each, output, kept) for each in kinds), key=lambda encoded: len(encoded.data))
    return _small_enough(smallest, output)


def _fitting(image: Image.Image, kind: Kind, output: Output, kept: dict[str, Any]) -> Encoded:
    """Encode with the quality that the output asks for or that is found to fit; the lowest one if none fits."""
    if kind == "png" or output.lossless or (output.quality != "auto" and output.max_bytes is None):
        return _write(image, kind, {**_options(kind, output), **kept})
    made = cache(lambda quality: _write(image, kind, {**_options(kind, output, quality), **kept}))

    def encoded(quality: int) -> bytes:
        return made(quality).data

    if output.quality == "auto":
        sample = _sample(image)
        tried = encoded if sample is image else lambda each: _write(sample, kind, _options(kind, output, each)).data
        quality = encoding_search.lowest_similar(sample, tried)
    else:
        quality = output.quality or _QUALITIES[kind]
    if output.max_bytes is not None:
        quality = encoding_search.highest_within(output.max_bytes, quality, encoded) or encoding_search.LEAST
    return made(quality)


def _sample(image: Image.Image) -> Image.Image:
    """Return the picture, or a smaller copy if it takes long to encode."""
    by = math.ceil(math.sqrt(image.width * image.height / SEARCHED_PIXELS))
    return image.reduce(by) if by > 1 else image


def _small_enough(encoded: Encoded, output: Output) -> Encoded:
    if output.max_bytes is not None and len(encoded.data) > output.max_bytes:
        raise TransformFailed(
            f"The result has {len(encoded.data):,} bytes as {encoded.media_type}, at the lowest quality if it has one, "
            f"but may have at most {output.max_bytes:,}. Choose a smaller size, another format or a higher max_bytes."
        )
    return encoded


def choose_kind(output: Output, original: str, size: tuple[int, int], transparent: bool) -> Kind:
    """Return a result's format: the requested one, else the original's, else JPEG or PNG, which every browser shows."""
    if output.kind:
        return "webp" if output.kind == "auto" else output.kind
    kind = _SAME_KIND.get(original)
    if kind is None or max(size) > LONGEST_SIDES[kind] or (kind == "avif" and size[0] * size[1] > _MOST_AVIF_PIXELS):
        return "png" if transparent else "jpeg"
    return kind


def too_long(kind: Kind, size: tuple[int, int]) -> TransformFailed:
    """Return the error for a result that is larger than its format allows."""
    return TransformFailed(
        f"The result has {size[0]} x {size[1]} pixels, but a side of a {kind.upper()} file may have at most "
        f"{LONGEST_SIDES[kind]:,}. Add an encode step with another format, or a resize step."
    )


def thumbnail(image: Image.Image) -> Encoded:
    """Encode a picture as a small WebP, which is sharp in a row of pictures also if it is long and narrow.

    A small opaque picture becomes a JPEG.
    """
    if image.mode == "RGB" and max(image.size) <= THUMBNAIL_SIDE:
        # as sharp as the WebP, in a sixth of the time, which is most of what so small a picture takes
        return replace(_write(image, "jpeg", {"quality": 80}), thumbhash=thumbhash(image))
    ratio = max(THUMBNAIL_SIDE / max(image.size), THUMBNAIL_SHORT_SIDE / min(image.size))
    ratio = min(ratio, THUMBNAIL_LONGEST / max(image.size))
    if ratio < 1:
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.5)
    # the fastest method: files are a tenth larger than with the slowest, in a third of the time
    return replace(_write(image, "webp", {"quality": 75, "method": 0}), thumbhash=thumbhash(image))


def _least_size(size: tuple[int, int], surplus: float) -> tuple[int, int]:
    """Return the size in pixels to which the decoder may reduce a picture."""
    by = next((by for by in _REDUCTIONS if by * _SPARE <= surplus), 1)
    return max(1, size[0] // by), max(1, size[1] // by)


def _view(header: Header, size: tuple[int, int], reduced: _Reduced | None) -> View | None:
    """Return which part of upright pixels shows the picture; None if it was not reduced."""
    if reduced is None or size == (header.width, header.height):
        return None
    _, (_, _, across, down) = reduced
    if header.orientation >= 5:
        across, down = down, across
    left = size[0] - across if header.orientation in _ENDS_AT_LEFT else 0
    top = size[1] - down if header.orientation in _ENDS_AT_TOP else 0
    return View((header.width, header.height), (left, top, left + across, top + down))


def _stream(source: bytes | int) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    stream = os.fdopen(source, "rb", closefd=False)
    stream.seek(0)
    return stream


def _endless(stream: IO[bytes], header: Header) -> IO[bytes]:
    """Hide a JPEG's end marker, so that its decoder fails if rows are missing.

    At an end marker, the decoder would fill the missing rows with grey. A few zeros serve as its read-ahead. A
    progressive JPEG keeps its end marker, because its passes cannot be told apart without markers.
    """
    if header.format != "JPEG":
        return stream
    data = stream.read(header.end)
    stream.seek(0)
    return io.BytesIO(data[:-2] + _READ_AHEAD) if jpeg.is_sequential(data) else stream


@contextmanager
def _opened(stream: IO[bytes], header: Header) -> Iterator[Image.Image]:
    """Open a picture with the decoder for its format. Any decoder error counts as a fault of the picture."""
    import_module(_PLUGINS[header.format])
    try:
        image = Image.open(_own_bytes(stream, header), formats=[header.format])
        if header.format != "HEIF" and image.size != _opened_size(header):
            raise _contradiction(_opened_size(header), image.size)
        yield image
    except (ImagoMortisError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(header) from error
    except Exception as error:  # decoders of damaged files raise errors of any class
        raise BrokenPicture(
            f"The {FORMATS[header.format].title} picture cannot be decoded to its end; it is damaged or cut off "
            f"({_reason(error)}). Copy or download the original again and upload that.",
            width=header.width,
            height=header.height,
        ) from error


def _unidentified(header: Header) -> RefusedPicture:
    """Return the error for a picture whose header the decoder cannot read."""
    title = FORMATS[header.format].title
    if header.format == "TIFF":
        return UnsupportedPicture(
            "This TIFF is of a rare kind (its bits a colour, its colours or its compression) that is not supported. "
            "Save it again as an ordinary TIFF of 8 or 16 bits, or as PNG."
        )
    return BrokenPicture(
        f"The {title} picture is damaged: its header makes no sense. Copy or download the original again and upload "
        "that."
    )


def _opened_size(header: Header) -> tuple[int, int]:
    return (header.width, header.height) if header.format in _TURNED_BY_DECODER else header.stored_size


def _own_bytes(stream: IO[bytes], header: Header) -> IO[bytes]:
    """Cut off what a phone appended to a HEIC, because its decoder confuses a video's boxes with the picture's."""
    return io.BytesIO(stream.read(header.end)) if header.format == "HEIF" and header.end < header.size else stream


def _load(image: Image.Image, header: Header) -> None:
    if header.format == "PNG":
        scale_transparent_colour(image)
    image.load()
    # the HEIC decoder learns the size only while it decodes
    if header.format == "HEIF" and image.size != (header.width, header.height):
        raise _contradiction((header.width, header.height), image.size)


def _contradiction(claimed: tuple[int, int], found: tuple[int, int]) -> BrokenPicture:
    return BrokenPicture(f"The picture contradicts itself: {claimed} pixels by its header, {found} by its decoder.")


def _reason(error: Exception) -> str:
    text = str(error).split("<_io")[0].strip() or type(error).__name__
    return text[:200]


def _shrink(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Resize before colours are converted; modes that cannot be resized are converted first."""
    if image.size == target:
        return image
    info = image.info
    if image.mode not in {"L", "RGB", "CMYK"} or "transparency" in info:
        image, info = to_srgb(image), {}
    image = image.resize(target, Image.Resampling.BICUBIC, reducing_gap=2.0)
    image.info = {key: info[key] for key in ("icc_profile", COLOUR_SPACE) if key in info}
    return image


def _flatten(image: Image.Image, background: str) -> Image.Image:
    flat = Image.new("RGB", image.size, background)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _options(kind: Kind, output: Output, found: int | None = None) -> dict[str, Any]:
    """Return the encoder's options; a quality that was ``found`` replaces the output's."""
    quality = found or (output.quality if isinstance(output.quality, int) else _QUALITIES[kind])
    # for each encoder, the last step at which files still become much smaller, and not only slower
    if kind == "png":
        return {"compress_level": 4}
    if kind == "webp":
        return {"quality": quality, "lossless": output.lossless, "method": 2}
    if kind == "avif":
        return {"quality": quality, "speed": 8}
    return {"quality": quality, "progressive": True} if output.progressive else {"quality": quality}


def _write(image: Image.Image, kind: Kind, options: dict[str, Any]) -> Encoded:
    import_module(_PLUGINS[kind.upper()])
    stream = io.BytesIO()
    try:
        image.save(stream, kind.upper(), **options)
    except MemoryError:
        raise
    except Exception as error:  # each encoder raises errors of its own classes
        raise TransformFailed(
            f"The result cannot be written as {kind.upper()} ({_reason(error)}). "
            "Choose another format or a smaller size.",
            width=image.width,
            height=image.height,
        ) from error
    return Encoded(MEDIA_TYPES[kind], *image.size, stream.getvalue())
