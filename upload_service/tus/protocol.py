"""Parses the headers of the tus protocol 1.0.0, and defines its errors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from imagomortis.errors import Conflict, ImagoMortisError, InvalidRecipe, InvalidRequest
from imagomortis.recipe.recipe import MOST_BYTES as RECIPE_BYTES
from imagomortis.spool.resumable import Progress

if TYPE_CHECKING:
    from hashlib import _Hash

PATH: Final = "/upload/tus"

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,checksum,termination"
ALGORITHMS: Final = ("sha256", "sha1")
MEDIA_TYPE: Final = "application/offset+octet-stream"

METADATA_BYTES: Final = 4 * 1024
"""Largest Upload-Metadata in bytes besides the recipe. It is stored until the upload is complete."""

ENCODED_RECIPE_BYTES: Final = 44 * 1024
"""Largest recipe in it, in Base64: 50 steps fit."""


class WrongVersion(InvalidRequest):
    """A client that speaks another version of the protocol."""

    status = 412
    slug = "wrong-version"
    title = "Another version of the tus protocol"


class WrongHeader(InvalidRequest):
    """A header of the protocol that is missing or cannot be read."""

    status = 400
    slug = "wrong-header"
    title = "A header is missing or cannot be read"


class MetadataTooLarge(InvalidRequest):
    """Metadata longer than any client needs."""

    status = 431
    slug = "metadata-too-large"
    title = "The metadata is too large"


class NotOffset(InvalidRequest):
    """A body that is not declared as bytes of an upload."""

    status = 415
    slug = "not-offset"
    title = "The body is not declared to be bytes of an upload"


class WrongOffset(Conflict):
    """Bytes for another offset than the upload's end."""

    slug = "wrong-offset"
    title = "The upload is at another offset"


class TooManyBytes(InvalidRequest):
    """More bytes than announced."""

    status = 413
    slug = "too-many-bytes"
    title = "There are more bytes than were announced"


class ChecksumMismatch(ImagoMortisError):
    """Bytes that changed during the transfer."""

    status = 460
    slug = "checksum-mismatch"
    title = "The bytes changed in transit"


@dataclass(frozen=True)
class Checksum:
    """The expected digest of one request's bytes."""

    algorithm: str
    digest: bytes

    def begin(self) -> _Hash:
        """Return a new hash object for the bytes."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def check_version(headers: Headers) -> None:
    """Raise WrongVersion unless the client speaks our version."""
    if (version := headers.get("tus-resumable")) != VERSION:
        given = f"says {version!r}" if version else "is missing"
        raise WrongVersion(f"The header Tus-Resumable {given}; this server speaks {VERSION}.")


def check_media_type(headers: Headers) -> None:
    """Raise NotOffset unless the body has the media type that the protocol requires."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise NotOffset(f"The Content-Type is {media_type or 'missing'!r}; bytes of an upload come as {MEDIA_TYPE}.")


def has_body(headers: Headers) -> bool:
    """Return whether a request has a body."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def announced_length(headers: Headers) -> int:
    """Return the announced length of an upload; raises WrongHeader."""
    if "upload-length" not in headers and "upload-defer-length" in headers:
        raise WrongHeader("This server needs to know the length from the start: send Upload-Length.")
    return _number(headers, "upload-length")


def offset(headers: Headers) -> int:
    """Return the offset of a request's bytes in the upload; raises WrongHeader."""
    return _number(headers, "upload-offset")


def _number(headers: Headers, name: str) -> int:
    value = headers.get(name, "")
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        given = f"says {value!r}" if value else "is missing"
        raise WrongHeader(f"The header {name.title()} {given}; it is a number of bytes, such as 1048576.")
    return int(value)


def checksum(headers: Headers) -> Checksum | None:
    """Return the checksum in a request's headers, if there is one; raises WrongHeader."""
    value = headers.get("upload-checksum")
    if value is None:
        return None
    algorithm, _, text = value.partition(" ")
    if algorithm not in ALGORITHMS:
        raise WrongHeader(f"Upload-Checksum names {algorithm!r}; this server knows {' and '.join(ALGORITHMS)}.")
    digest = _decode(text)
    if digest is None or len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise WrongHeader(f"Upload-Checksum has no {algorithm} digest in Base64.")
    return Checksum(algorithm, digest)


def metadata(headers: Headers) -> Mapping[str, bytes]:
    """Return the client's metadata of its file; raises WrongHeader and MetadataTooLarge."""
    header = headers.get("upload-metadata", "")
    found: dict[str, bytes] = {}
    for pair in filter(None, (each.strip(" ") for each in header.split(","))):
        key, _, text = pair.partition(" ")
        value = _decode(text)
        if value is None:
            raise WrongHeader(f"Upload-Metadata: the value of {key!r} is not Base64.")
        if key in found:
            raise WrongHeader(f"Upload-Metadata has {key!r} more than once.")
        found[key] = value
    recipe_bytes = 4 * math.ceil(len(found.get("recipe", b"")) / 3)
    if recipe_bytes > ENCODED_RECIPE_BYTES or len(header) - recipe_bytes > METADATA_BYTES:
        raise MetadataTooLarge(
            f"The header Upload-Metadata may have {METADATA_BYTES:,} bytes, and {ENCODED_RECIPE_BYTES:,} for a recipe. "
            "Send a file with a longer recipe as a form."
        )
    return found


def recipe_of(found: Mapping[str, bytes]) -> str | None:
    """Return the recipe's text in the metadata, if there is one; raises InvalidRecipe."""
    value = found.get("recipe")
    if value is None:
        return None
    if len(value) > RECIPE_BYTES:
        raise InvalidRecipe(f"The recipe has more than {RECIPE_BYTES:,} bytes. Make it shorter.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRecipe("The recipe is not UTF-8 text.") from None


def told(progress: Progress) -> dict[str, str]:
    """Return the headers for an upload's offset and expiry."""
    headers = {"Upload-Offset": str(progress.offset)}
    if progress.expires is not None:
        headers["Upload-Expires"] = http_date(progress.expires)
    return headers


def http_date(moment: datetime) -> str:
    """Return a moment in the format of RFC 9110."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("latin-1"), validate=True)
    except (binascii.Error, ValueError):
        return None
