"""Readers of bytes from outside, each as a function that only fails for what is no refusal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers

from api_service.models import CursorText
from api_service.routes.images import decode
from imagomortis.errors import ImagoMortisError
from imagomortis.picture.formats import foreign, isobmff, jpeg, png, tiff
from imagomortis.picture.formats.structure import Buffer
from imagomortis.picture.header import FORMATS, Limits, read_header
from imagomortis.recipe.recipe import Recipe
from upload_service.form.multipart import FormReader, boundary_of
from upload_service.tus import protocol

BOUNDARY: Final = b"boundary"

_CHUNK = 65_536
_CURSOR = TypeAdapter(CursorText)


def picture(data: bytes) -> None:
    """Read a picture's header as the check of an upload does."""
    with suppress(ImagoMortisError):
        read_header(data, Limits())


def _walk(parse: Callable[[Buffer], object]) -> Callable[[bytes], None]:
    def walk(data: bytes) -> None:
        with suppress(ImagoMortisError):
            parse(data)

    return walk


def companions(data: bytes) -> None:
    """Look for files of another kind in all ways."""
    foreign.name(data)
    foreign.polyglot(data)
    with suppress(ImagoMortisError):
        foreign.tail(data, 0)


def multipart(data: bytes) -> None:
    """Read a form in the chunks of a connection."""
    reader = FormReader(BOUNDARY)
    with suppress(ImagoMortisError):
        for start in range(0, len(data), _CHUNK):
            reader.feed(data[start : start + _CHUNK])
        reader.close()


def content_type(data: bytes) -> None:
    """Read the header that names the boundary."""
    with suppress(ImagoMortisError):
        boundary_of(data.decode("latin-1"))


def tus(data: bytes) -> None:
    """Read each header of the protocol."""
    names = ("upload-metadata", "upload-checksum", "upload-length", "upload-offset", "tus-resumable", "content-type")
    headers = Headers(raw=[(name.encode(), data) for name in names])
    readers: tuple[Callable[[Headers], object], ...] = (
        lambda given: protocol.recipe_of(protocol.metadata(given)),
        protocol.checksum,
        protocol.announced_length,
        protocol.offset,
        protocol.check_version,
        protocol.check_media_type,
    )
    for read in readers:
        with suppress(ImagoMortisError):
            read(headers)


def recipe(data: bytes) -> None:
    """Read a recipe."""
    with suppress(ImagoMortisError):
        Recipe.parse(data)


def cursor(data: bytes) -> None:
    """Read the cursor of a page."""
    with suppress(ValidationError):
        decode(_CURSOR.validate_python(data.decode("latin-1")))


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "picture": picture,
    **{name.lower(): _walk(each.parse) for name, each in FORMATS.items() if name != "HEIF"},
    "exif": _walk(lambda data: tiff.orientation(bytes(data))),
    "jpeg-order": _walk(jpeg.is_sequential),
    "png-colours": _walk(png.colour_chunks),
    "avif-colours": _walk(isobmff.colour_codes),
    "companions": companions,
    "multipart": multipart,
    "content-type": content_type,
    "tus": tus,
    "recipe": recipe,
    "cursor": cursor,
}
"""Every reader, by a name for test ids."""
