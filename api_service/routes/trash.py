"""Serves the pictures of images in the trash, and empties it. `GET /images?trash=true` lists it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response

from api_service.dependencies import Here
from api_service.openapi import BYTES
from api_service.picture_bytes.responses import WHOLE, is_whole, respond
from api_service.routes.images import ImageId
from imagomortis.errors import NotFound

router = APIRouter(tags=["deletion"])


@router.get("/trash/{image_id:uuid}/{kind}", response_class=Response, responses=BYTES)
def picture_in_trash(
    service: Here,
    request: Request,
    image_id: ImageId,
    kind: Annotated[Literal["original", "thumbnail"], Path(description="which picture")],
) -> Response:
    """Return the bytes of a picture in the trash."""
    images = service.catalog.images
    picture = images.picture_in_trash(image_id, kind, WHOLE if is_whole(request) else 0)
    if picture is None:
        raise NotFound(f"The trash has no {kind} picture of an image {image_id}.")
    return respond(images, request, picture, download=False, is_original=False, wanted=None)


@router.delete("/trash", status_code=HTTPStatus.NO_CONTENT)
def empty_trash(service: Here) -> Response:
    """Delete all images in the trash. They can be restored for a minute."""
    service.catalog.trash.empty()
    return Response(status_code=HTTPStatus.NO_CONTENT)
