"""Downloads many pictures as one zip file, which is made while it is sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api_service import models
from api_service.dependencies import Here
from api_service.openapi import NOT_FOUND, ZIP
from api_service.picture_bytes.filenames import content_disposition, name_for, unique
from imagomortis.catalog.images import CHUNK, Images, Kind, Picture
from imagomortis.errors import NotFound, Unavailable
from imagomortis.logs import Log

log = Log(__name__)

router = APIRouter(tags=["images"])

MISSING_NAME: Final = "not-included.txt"
"""The file that lists the pictures missing from the zip."""

_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
_LATEST = datetime(2107, 12, 31, tzinfo=UTC)


@router.get("/images/zip", response_class=StreamingResponse, responses={**ZIP, **NOT_FOUND})
def zip_by_link(
    service: Here,
    ids: Annotated[
        list[UUID], Query(min_length=1, max_length=1000, description="the images; repeat the parameter for each")
    ],
    kind: Annotated[models.Kind | None, Query(description="which pictures")] = None,
    output: Annotated[models.OutputName | None, Query(description="only this output, instead of a kind")] = None,
) -> StreamingResponse:
    """Download pictures as a zip file, by a plain link."""
    return _answer(service.catalog.images, ids, output or kind)


@router.post("/images/zip", response_class=StreamingResponse, responses={**ZIP, **NOT_FOUND})
def zip_many(service: Here, bundle: models.Bundle) -> StreamingResponse:
    """Download pictures as a zip file: all outputs of each image, unless a kind or an output is named.

    A picture that is deleted meanwhile is left out and named in `not-included.txt`.
    """
    return _answer(service.catalog.images, bundle.ids, bundle.output or bundle.kind)


def _answer(images: Images, ids: list[UUID], kind: Kind | None) -> StreamingResponse:
    ids = list(dict.fromkeys(ids))
    if not any(images.picture(image_id, kind) for image_id in ids):
        raise NotFound("None of these images is there any more, or has such a picture.")
    filename = f"imagomortis-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"
    headers = {
        "Content-Disposition": content_disposition(filename, attachment=True),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pack(images, ids, kind), headers=headers, media_type="application/zip")


def pack(images: Images, ids: Iterable[UUID], kind: Kind | None) -> Iterator[bytes]:
    """Yield a zip file of the pictures, without compressing them again, holding one chunk at a time."""
    sink, taken, missing = _Sink(), {MISSING_NAME: 1}, list[str]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for image_id, wanted in _wanted(images, ids, kind):
            picture = images.picture(image_id, wanted, head=CHUNK)
            if picture is None:
                missing.append(f"{image_id}: deleted, or without such a picture.")
                continue
            name = unique(name_for(picture.filename, picture.output or picture.kind, picture.media_type), taken)
            sent = 0
            with archive.open(_entry(name, picture), "w") as file:
                for chunk in _pieces(images, picture):
                    sent += file.write(chunk)
                    yield sink.take()
            if sent < picture.size:
                missing.append(f"{image_id}: deleted while it was sent; {name} is cut off.")
            yield sink.take()
        if missing:
            archive.writestr(MISSING_NAME, "\n".join(missing) + "\n")
    yield sink.take()


def _wanted(images: Images, ids: Iterable[UUID], kind: Kind | None) -> Iterator[tuple[UUID, Kind | None]]:
    """Yield what a zip holds of each image: the given ``kind``, or all outputs if there are several."""
    for image_id in ids:
        outputs = [] if kind else [each.output for each in images.renditions(image_id) if each.output]
        for wanted in outputs if len(outputs) > 1 else [kind]:
            yield image_id, wanted


def _pieces(images: Images, picture: Picture) -> Iterator[bytes]:
    yield picture.head
    try:
        yield from images.read(picture, len(picture.head))
    except Unavailable as error:
        # the answer has begun, so it can only be cut off here
        log.warning("cut off", image=picture.image_id, error=error.detail)
        raise


def _entry(name: str, picture: Picture) -> zipfile.ZipInfo:
    created_at = min(max(picture.created_at.astimezone(UTC), _EARLIEST), _LATEST)
    entry = zipfile.ZipInfo(name, created_at.timetuple()[:6])
    entry.file_size = picture.size
    entry.external_attr = 0o644 << 16
    return entry


class _Sink(io.RawIOBase):
    """A file that can only be written forwards; its content is taken out piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes only bytes
        """Keep the bytes."""
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken
