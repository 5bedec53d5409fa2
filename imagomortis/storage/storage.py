"""Defines the interface of a storage: named bytes that never change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID

from imagomortis.errors import BytesDamaged

ORIGINAL: Final = "original"

LARGE: Final = 16 * 1024 * 1024
"""Objects with more bytes are put in parts, from a file if there is one."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_NAME: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?:original|([^/]+)-([0-9a-f]{64}))")


@dataclass(frozen=True)
class Stored:
    """An object without its bytes: its name, its size in bytes, when it was put, and the ETag of an object store."""

    name: str
    size: int
    put_at: datetime
    etag: str = ""


@dataclass(frozen=True)
class InBucket:
    """Bytes that a bucket holds already, below another prefix: the bucket's address and their name in it."""

    address: str
    name: str


class Storage(Protocol):
    """Bytes by name. A name is never used for other bytes, so a second put changes nothing.

    Each method raises Unavailable while the storage does not answer. Methods that read raise BytesDamaged if the
    storage does not have the bytes. All can be called from several threads.
    """

    def put(self, objects: Mapping[str, bytes | Path], media_types: Mapping[str, str] = NOTHING) -> None:
        """Store bytes, or those of a file, under their names; after the return they outlast a crash of the storage.

        The media types, also by name, are for clients that read the storage directly.
        """

    def get(self, digests: Mapping[str, bytes]) -> dict[str, bytes | BytesDamaged]:
        """Return the bytes of each name, after a comparison with its SHA-256, or the error that was found."""

    def read(self, name: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of a name from ``start``; fewer at the end of the object."""

    def head(self, name: str) -> Stored | None:
        """Return the object of a name without its bytes; None if it does not exist."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; names without an object are ignored."""

    def listed(self, after: str = "", folder: str = "") -> Iterator[Stored]:
        """Yield all objects whose names follow ``after``, in the order of the names; ``folder`` leaves out the others.

        A folder is the part of a name before its slash.
        """


@dataclass(frozen=True)
class Name:
    """The parts of a name: the image, the kind of picture, and the SHA-256; None for the original."""

    image_id: UUID
    kind: str
    sha256: bytes | None

    @classmethod
    def of(cls, name: str) -> Name | None:
        """Parse a name; return None if another program made it."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        return cls(UUID(found[1]), found[2] or ORIGINAL, bytes.fromhex(found[3]) if found[3] else None)


def name_of(image_id: UUID, kind: str, sha256: bytes) -> str:
    """Return the name of a picture's object; ``kind`` is that of its row.

    The name of a rendition contains its digest, so another rendition has another name.
    """
    return original_name(image_id) if kind == ORIGINAL else f"{image_id}/{kind}-{sha256.hex()}"


def original_name(image_id: UUID) -> str:
    """Return the name of an original's object."""
    return f"{image_id}/{ORIGINAL}"
