"""Uploads and results for tests that do not care for the picture in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from imagomortis.catalog.queue import Leased, Result
from imagomortis.sandbox.sandbox import Rendition
from imagomortis.spool.upload import Upload

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def upload(data: bytes = b"bytes", created_at: datetime = NOON, **fields: Any) -> Upload:
    """An upload of ``data``."""
    return Upload(
        **{
            "id": uuid4(),
            "created_at": created_at,
            "filename": "picture.jpg",
            "media_type": "image/jpeg",
            "sha256": hashlib.sha256(data).digest(),
            "size": len(data),
            "width": 4,
            "height": 3,
            "recipe": {"steps": []},
            "recipe_digest": "0" * 64,
            "recipe_name": "circles",
            **fields,
        }
    )


def arrivals(count: int, created_at: datetime = NOON) -> list[tuple[Upload, bytes]]:
    """So many different uploads with their bytes."""
    datas = [f"bytes {number}".encode() for number in range(count)]
    return [(upload(data, created_at), data) for data in datas]


def rendition(kind: str = "processed", data: bytes = b"processed") -> Rendition:
    """A rendition of ``data``."""
    return Rendition(kind, "image/jpeg", 4, 3, data)


def result(image: Leased, data: bytes = b"processed", **others: bytes) -> Result:
    """The result of processing ``image``: the first output, ``others`` by name, and the thumbnail."""
    outputs = [rendition("processed", data), *(rendition(name, other) for name, other in others.items())]
    return Result(image, (*outputs, replace(rendition("thumbnail", b"thumb"), thumbhash=b"hash")), 0.002)


def ids(images: Sequence[Any]) -> set[UUID]:
    """The ids of images of any kind."""
    return {image.id for image in images}
