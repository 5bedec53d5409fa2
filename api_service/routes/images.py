"""Lists images, whole or in pieces, serves their details, and finds them by the digests of their originals."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from api_service import models, presentation
from api_service.dependencies import Here, Service, Which
from api_service.openapi import NOT_FOUND, PAGE
from api_service.picture_bytes.responses import missing
from imagomortis.catalog.images import MOST_MARKED, NEWEST, Cursor, Filter, Image
from imagomortis.catalog.ordered import Ordered, Position, Sort
from imagomortis.catalog.queue import ALWAYS

router = APIRouter(tags=["images"])

ImageId = Annotated[UUID, Path(description="the image's id, from the uploader's answer", examples=[models.EXAMPLE_ID])]


@router.get("/images", response_model=list[models.Image], responses=PAGE)
def list_images(
    *,
    service: Here,
    which: Which,
    request: Request,
    sort: Annotated[Sort | None, Query(description="by name or size instead; a minus begins at the end")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="images on a page")] = 100,
    cursor: Annotated[models.CursorText | None, Query(description="from the `next` link of a page")] = None,
) -> Response:
    """Return images, newest first, or by name or size. Numbers in names are compared as numbers, ABC like abc.

    The `Link` header leads to the next page. A filter examines a limited number of images per page. So a page can
    have fewer images than `limit`, or none, and still a next page.
    """
    images, following = _page(service, which, sort, limit, cursor)
    headers = {"Cache-Control": "no-store"}
    if following:
        headers["Link"] = f'<?{_next_query(request, following)}>; rel="next"'
    body = to_json([presentation.image(found) for found in images])
    return Response(body, headers=headers, media_type="application/json")


def _page(
    service: Service, which: Filter, sort: Sort | None, limit: int, cursor: str | None
) -> tuple[list[Image], str | None]:
    """Return the images of a page, and the text of the cursor of the next one."""
    if sort:
        ordered = service.catalog.ordered.page(sort, limit, decode_position(cursor) if cursor else None, which)
        return ordered.images, encode_position(ordered.next) if ordered.next else None
    page = service.catalog.images.page(limit, _start(which, cursor), which)
    return page.images, encode(page.next) if page.next else None


def _start(which: Filter, cursor: str | None) -> Cursor:
    """Return the cursor from which a list by time begins."""
    if cursor:
        return decode(cursor)
    # with the smallest of ids, the images created before `until`
    return Cursor(which.until, UUID(int=0)) if which.until < ALWAYS[1] else NEWEST


@router.get("/images/marks")
def list_marks(
    *,
    service: Here,
    which: Which,
    sort: Annotated[Literal["-name", "-size"] | None, Query(description="from the last name or size instead")] = None,
    every: Annotated[int, Query(ge=10, le=1000, description="images in a piece")] = 200,
    cursor: Annotated[models.CursorText | None, Query(description="from `next`")] = None,
) -> models.Marks:
    """Divide the list of GET /images into pieces of a size, newest first, or by name or size.

    With the same filters, `cursor` and `limit=count` of a mark GET /images answers that piece. The pieces stay where
    they are when images come and go: those that come lie before the first piece or make a piece longer.
    """
    if sort:
        return _ordered_marks(service.catalog.ordered, which, Sort(sort), every, cursor)
    start = _start(which, cursor)
    found = service.catalog.images.marks(every, start, which)
    begins = [encode(start) if start != NEWEST else None, *map(encode, found.cursors[:-1])]
    marks = [
        models.Mark(cursor=begin, count=count, created_at=presentation.utc(end.created_at), id=end.id, sort_key=None)
        for begin, count, end in zip(begins, found.counts, found.cursors, strict=False)
    ]
    return models.Marks(marks=marks, next=encode(found.next) if found.next else None)


def _ordered_marks(ordered: Ordered, which: Filter, sort: Sort, every: int, cursor: str | None) -> models.Marks:
    ends = ordered.marks(sort, every, decode_position(cursor) if cursor else None, which)
    marks, begin, before = list[models.Mark](), cursor, 0
    for end in ends:
        at, key = presentation.utc(end.created_at), end.position.key
        marks.append(
            models.Mark(cursor=begin, count=end.number - before, created_at=at, id=end.position.id, sort_key=key)
        )
        begin, before = encode_position(end.position), end.number
    return models.Marks(marks=marks, next=begin if before == MOST_MARKED else None)


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


def _next_query(request: Request, cursor: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*kept, ("cursor", cursor)])


def encode(cursor: Cursor) -> str:
    """Return a page cursor as text for clients."""
    microseconds = (cursor.created_at - ALWAYS[0]) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(8, "big") + cursor.id.bytes).decode()


def decode(text: str) -> Cursor:
    """Return the page cursor in a client's text; a forged one still means some place in the list."""
    raw = base64.urlsafe_b64decode(text)
    microseconds = min(int.from_bytes(raw[:8], "big"), (ALWAYS[1] - ALWAYS[0]) // _MICROSECOND)
    return Cursor(ALWAYS[0] + microseconds * _MICROSECOND, UUID(bytes=raw[8:24]))


def encode_position(position: Position) -> str:
    """Return the cursor of a list by name or size; the padding makes its length a multiple of three."""
    raw = position.id.bytes + position.key.encode()
    return base64.urlsafe_b64encode(raw + bytes(24 - len(raw) if len(raw) < 24 else -len(raw) % 3)).decode()


def decode_position(text: str) -> Position:
    """Return the position in a client's text; a forged one still means some place in the list."""
    raw = base64.urlsafe_b64decode(text)
    return Position(raw[16:].decode(errors="replace").replace("\0", ""), UUID(bytes=raw[:16]))


_MICROSECOND: Final = datetime.resolution
