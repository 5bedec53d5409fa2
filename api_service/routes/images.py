"""Lists images, serves their details, and finds them by the digests of their originals."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from api_service import models, presentation
from api_service.dependencies import Here, Service
from api_service.openapi import NOT_FOUND, PAGE
from api_service.picture_bytes.responses import missing
from imagomortis.catalog.images import NEWEST, Cursor, Filter
from imagomortis.catalog.queue import ALWAYS
from imagomortis.lifecycle import State

router = APIRouter(tags=["images"])

ImageId = Annotated[UUID, Path(description="the image's id, from the uploader's answer", examples=[models.EXAMPLE_ID])]


@router.get("/images", response_model=list[models.Image], responses=PAGE)
def list_images(
    *,
    service: Here,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="images on a page")] = 100,
    cursor: Annotated[models.CursorText | None, Query(description="from the `next` link of a page")] = None,
    state: Annotated[list[State] | None, Query(max_length=4, description="only images in these states")] = None,
    name: Annotated[models.Text | None, Query(description="only file names that contain this")] = None,
    recipe: Annotated[models.Text | None, Query(description="only this recipe, by name or digest")] = None,
    since: Annotated[models.Moment | None, Query(description="only images created since then")] = None,
    favourites: Annotated[bool, Query(description="only favourites")] = False,
) -> Response:
    """Return images, newest first.

    The `Link` header leads to the next page. A filter examines a limited number of images per page. So a page can
    have fewer images than `limit`, or none, and still a next page.
    """
    states = tuple(dict.fromkeys(state)) if state else None
    which = Filter(states, name or None, recipe or None, since or ALWAYS[0], favourites=favourites)
    page = service.catalog.images.page(limit, decode(cursor) if cursor else NEWEST, which)
    headers = {"Cache-Control": "no-store"}
    if page.next:
        headers["Link"] = f'<?{_next_query(request, page.next)}>; rel="next"'
    body = to_json([presentation.image(found) for found in page.images])
    return Response(body, headers=headers, media_type="application/json")


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
