"""Lists images, whole or in pieces, serves their details, and finds them by the digests of their originals."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from api_service import models, presentation
from api_service.dependencies import Here, Service, Which
from api_service.openapi import NOT_FOUND, PAGE
from api_service.picture_bytes.responses import missing
from imagomortis.catalog.images import NEWEST, Cursor
from imagomortis.catalog.queue import ALWAYS

router = APIRouter(tags=["images"])

ImageId = Annotated[UUID, Path(description="the image's id, from the uploader's answer", examples=[models.EXAMPLE_ID])]


@router.get("/images", response_model=list[models.Image], responses=PAGE)
def list_images(
    *,
    service: Here,
    which: Which,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="images on a page")] = 100,
    cursor: Annotated[models.CursorText | None, Query(description="from the `next` link of a page")] = None,
) -> Response:
    """Return images, newest first.

    The `Link` header leads to the next page. A filter examines a limited number of images per page. So a page can
    have fewer images than `limit`, or none, and still a next page.
    """
    page = service.catalog.images.page(limit, decode(cursor) if cursor else NEWEST, which)
    headers = {"Cache-Control": "no-store"}
    if page.next:
        headers["Link"] = f'<?{_next_query(request, page.next)}>; rel="next"'
    body = to_json([presentation.image(found) for found in page.images])
    return Response(body, headers=headers, media_type="application/json")


@router.get("/images/marks")
def list_marks(
    *,
    service: Here,
    which: Which,
    every: Annotated[int, Query(ge=10, le=1000, description="images in a piece")] = 200,
    cursor: Annotated[models.CursorText | None, Query(description="from `next`")] = None,
    until: Annotated[models.Moment | None, Query(description="only images created before then")] = None,
) -> models.Marks:
    """Divide the list of GET /images into pieces of a size, newest first.

    With the same filters, `cursor` and `limit=count` of a mark GET /images answers that piece. The pieces stay where
    they are when images come and go: those that come lie before the first piece or make a piece longer.
    """
    # a list begins after its cursor: with the smallest of ids, it holds the images created before `until`
    start = decode(cursor) if cursor else Cursor(until, UUID(int=0)) if until else NEWEST
    found = service.catalog.images.marks(every, start, which)
    begins = [encode(start) if cursor or until else None, *map(encode, found.cursors[:-1])]
    marks = [
        models.Mark(cursor=begin, count=count, created_at=presentation.utc(end.created_at), id=end.id)
        for begin, count, end in zip(begins, found.counts, found.cursors, strict=False)
    ]
    return models.Marks(marks=marks, next=encode(found.next) if found.next else None)


@router.get("/images/{image_id:uuid}/info", responses=NOT_FOUND)
def image_info(service: Here, image_id: ImageId) -> models.ImageInfo:
    """Return everything about an image: its recipe, renditions, and attempts with their causes."""
    return info_of(service, image_id)


@router.post("/digests")
def known_digests(service: Here, digests: models.Digests) -> dict[str, UUID]:
    """Return the oldest image for each known SHA-256 of an original.

    Use it to avoid uploading a picture twice. The uploader stores every upload, known or not.
    """
    known = service.catalog.images.known_digests([bytes.fromhex(digest) for digest in digests.sha256])
    return {digest.hex(): image_id for digest, image_id in known.items()}


def info_of(service: Service, image_id: UUID) -> models.ImageInfo:
    """Return everything about an image; raise NotFound."""
    images = service.catalog.images
    found = images.one(image_id)
    if found is None:
        raise missing(image_id)
    return presentation.image_info(
        found,
        images.renditions(image_id),
        images.attempts(image_id),
        service.catalog.exports.one(image_id),
        service.settings.dagster_url,
    )


def _next_query(request: Request, cursor: Cursor) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*kept, ("cursor", encode(cursor))])


def encode(cursor: Cursor) -> str:
    """Return a page cursor as text for clients."""
    microseconds = (cursor.created_at - ALWAYS[0]) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(8, "big") + cursor.id.bytes).decode()


def decode(text: str) -> Cursor:
    """Return the page cursor in a client's text; a forged one still means some place in the list."""
    raw = base64.urlsafe_b64decode(text)
    microseconds = min(int.from_bytes(raw[:8], "big"), (ALWAYS[1] - ALWAYS[0]) // _MICROSECOND)
    return Cursor(ALWAYS[0] + microseconds * _MICROSECOND, UUID(bytes=raw[8:]))


_MICROSECOND: Final = datetime.resolution
