"""Serves the bytes of an image's pictures: the original, the thumbnail and every output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from api_service import models, presentation
from api_service.dependencies import Here, Service
from api_service.models import Kind
from api_service.openapi import BYTES, NOT_FOUND
from api_service.picture_bytes.filenames import SUFFIXES
from api_service.picture_bytes.responses import answer, missing
from api_service.prefix import prefix_of
from api_service.routes.images import ImageId
from imagomortis.catalog.images import RenditionInfo
from imagomortis.errors import NotFound
from imagomortis.recipe.recipe import RESERVED

router = APIRouter(tags=["images"])

Download = Annotated[bool, Query(description="save it to a file")]
Version = Annotated[str | None, Query(max_length=64, description="the version, from a link")]

KINDS: Final[dict[Kind, str]] = {
    "original": "Return the bytes as they were uploaded.",
    "processed": "Return the bytes of the processed picture, which is the first output.",
    "thumbnail": "Return the bytes of the thumbnail. Its longest side has 512 pixels, or up to 2,048 if it is narrow.",
}
"""The kinds of pictures that have a route of their own, with what the route does."""


@router.get("/images/{image_id:uuid}", response_class=Response, responses=BYTES)
@router.head("/images/{image_id:uuid}", response_class=Response, include_in_schema=False)
def best_picture(
    service: Here,
    request: Request,
    image_id: ImageId,
    kind: Annotated[Kind | None, Query(description="which picture")] = None,
    download: Download = False,
) -> Response:
    """Return the bytes of the processed picture, or of the original until that exists."""
    return answer(service, request, image_id, kind, download=download)


def _of_kind(kind: Kind) -> Callable[..., Response]:
    def picture(
        service: Here, request: Request, image_id: ImageId, download: Download = False, v: Version = None
    ) -> Response:
        return answer(service, request, image_id, kind, download=download, wanted=v)

    picture.__doc__ = KINDS[kind]
    return picture


for _kind in KINDS:
    _path = f"/images/{{image_id:uuid}}/{_kind}"
    router.get(_path, name=_kind, response_class=Response, responses=BYTES)(_of_kind(_kind))
    router.head(_path, name=_kind, response_class=Response, include_in_schema=False)(_of_kind(_kind))


@router.get("/images/{image_id:uuid}/outputs", responses=NOT_FOUND)
def list_outputs(service: Here, request: Request, image_id: ImageId) -> models.Outputs:
    """Return the outputs of an image, the first one first, then by width, and strings for `srcset`."""
    found = service.catalog.images.renditions(image_id)
    if not found and service.catalog.images.one(image_id) is None:
        raise missing(image_id)
    return presentation.outputs(image_id, found, prefix_of(request))


@router.get("/images/{image_id:uuid}/outputs/{name}", response_class=Response, responses=BYTES)
@router.head("/images/{image_id:uuid}/outputs/{name}", response_class=Response, include_in_schema=False)
def output(
    *,
    service: Here,
    request: Request,
    image_id: ImageId,
    name: Annotated[str, Path(description="the output's name, with or without the suffix of its format")],
    download: Download = False,
    v: Version = None,
) -> Response:
    """Return the bytes of an output."""
    name, dot, suffix = name.partition(".")
    found = [each for each in service.catalog.images.renditions(image_id) if each.output]
    media_type = next((each.media_type for each in found if each.output == name), None)
    if media_type is None or name in RESERVED:
        raise _no_output(service, image_id, name, found)
    if dot and suffix not in SUFFIXES[media_type]:
        raise NotFound(
            f"The output {name!r} is {media_type}: ask for {name}.{SUFFIXES[media_type][0]}, or without a suffix."
        )
    return answer(service, request, image_id, name, download=download, wanted=v)


def _no_output(service: Service, image_id: UUID, name: str, found: list[RenditionInfo]) -> NotFound:
    image = service.catalog.images.one(image_id)
    if image is None:
        return missing(image_id)
    if not found:
        return NotFound(f"The image {image_id} has no outputs yet; it is {image.state}.", state=image.state)
    names = ", ".join(str(each.output) for each in found)
    return NotFound(f"The image {image_id} has no output {name[:100]!r}. It has {names}.")
