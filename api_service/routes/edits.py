"""Edits images: gives them a new recipe, previews it, and retries them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Response

from api_service import models
from api_service.dependencies import Here, Service
from api_service.observability import bulk_log
from api_service.openapi import NOT_A_PICTURE, NOT_FOUND, PICTURE
from api_service.picture_bytes.responses import BYTES_POLICY, missing
from api_service.routes.images import ImageId, info_of
from api_service.routes.recipes import Choice, choose, choose_allowed
from imagomortis.errors import AttemptFailed, ImagoMortisError
from imagomortis.recipe.render import WHOLE, Shrunk

router = APIRouter(tags=["edits"])

MOST_FORMER: Final = 1_000
"""Largest number of different former recipes in an answer."""


class PreviewFailed(ImagoMortisError):
    """A preview that the picture or the recipe does not allow."""

    status = 422
    slug = "preview-failed"
    title = "There is no preview"


@router.patch("/images/{image_id:uuid}", responses=NOT_FOUND)
def edit_image(service: Here, image_id: ImageId, edit: models.Edit) -> models.ImageInfo:
    """Give an image a new recipe, and process its original again."""
    chosen = choose_allowed(service, edit.recipe)
    if not service.catalog.images.apply_recipe([image_id], *_parts(chosen)):
        raise missing(image_id)
    return info_of(service, image_id)


@router.patch("/images")
def edit_images(service: Here, edit: models.EditMany) -> models.Changed:
    """Give many images a new recipe; return the images that exist, with their former recipes.

    To undo it, give the former recipes back by further calls.
    """
    chosen = choose_allowed(service, edit.recipe)
    former = service.catalog.images.apply_recipe(edit.ids, *_parts(chosen))
    bulk_log.note("edited", list(former))
    return models.Changed(changed=list(former), former=_grouped(former))


@router.put("/images/{image_id:uuid}/favourite", status_code=204, responses=NOT_FOUND)
def mark_favourite(service: Here, image_id: ImageId) -> None:
    """Mark an image as a favourite. A favourite stays one."""
    _mark(service, image_id, favourite=True)


@router.delete("/images/{image_id:uuid}/favourite", status_code=204, responses=NOT_FOUND)
def unmark_favourite(service: Here, image_id: ImageId) -> None:
    """Unmark a favourite. An image that is not marked stays as it is."""
    _mark(service, image_id, favourite=False)


@router.post("/images/favourites")
def mark_favourites(service: Here, wanted: models.FavouriteMany) -> models.Marked:
    """Mark many images as favourites, or unmark them; return the images that exist."""
    marked = service.catalog.images.mark_favourites(wanted.ids, favourite=wanted.favourite)
    bulk_log.note("marked", marked)
    return models.Marked(marked=marked)


@router.post("/images/{image_id:uuid}/preview", response_class=Response, responses={**PICTURE, **NOT_FOUND})
def preview(service: Here, image_id: ImageId, wanted: models.PreviewOf) -> Response:
    """Return what a recipe makes of an image, at most as large as requested. Nothing is stored."""
    return _previewed(service, _original(service, image_id), wanted)


@router.post("/recipes/preview", response_class=Response, responses={**PICTURE, **NOT_A_PICTURE})
def preview_copy(service: Here, wanted: models.PreviewOfCopy) -> Response:
    """Return what a recipe makes of the small copy of a picture that is not uploaded yet. Nothing is stored."""
    shrunk = Shrunk(wanted.scale, bytes.fromhex(wanted.sha256 or ""))
    return _previewed(service, wanted.picture, wanted, shrunk)


@router.post("/images/{image_id:uuid}/retry", responses=NOT_FOUND)
def retry_image(service: Here, image_id: ImageId) -> models.Retried:
    """Queue an image again if it is done or failed; otherwise change nothing."""
    retried = service.catalog.images.retry([image_id])
    if not retried and service.catalog.images.one(image_id) is None:
        raise missing(image_id)
    return models.Retried(retried=len(retried))


@router.post("/images/retry")
def retry_images(service: Here, selection: models.Selection) -> models.Retried:
    """Queue those of many images again that are done or failed."""
    retried = service.catalog.images.retry(selection.ids)
    bulk_log.note("retried", retried)
    return models.Retried(retried=len(retried))


@router.post("/retry")
def retry_failed(service: Here) -> models.Retried:
    """Queue every failed image again."""
    retried = service.catalog.images.retry_failed()
    bulk_log.note("retried", retried)
    return models.Retried(retried=len(retried))


def _mark(service: Service, image_id: UUID, *, favourite: bool) -> None:
    if not service.catalog.images.mark_favourites([image_id], favourite=favourite):
        raise missing(image_id)


def _grouped(former: Mapping[UUID, Mapping[str, Any]]) -> list[models.Former]:
    """Group images by their former recipe; empty if there are too many recipes to give back one by one."""
    groups: dict[str, models.Former] = {}
    for image_id, recipe in former.items():
        key = json.dumps(recipe, sort_keys=True)
        group = groups.setdefault(key, models.Former(recipe=dict(recipe), ids=[]))
        group.ids.append(image_id)
    return list(groups.values()) if len(groups) <= MOST_FORMER else []


def _parts(chosen: Choice) -> tuple[dict[str, object], str, str | None]:
    return chosen.recipe.as_json(), chosen.recipe.digest, chosen.name


def _previewed(service: Service, original: bytes, wanted: models.PreviewOf, shrunk: Shrunk = WHOLE) -> Response:
    chosen = choose(service.catalog, wanted.recipe)
    assets = service.catalog.assets.files(chosen.recipe.assets)
    try:
        with service.previews.borrow() as sandbox:
            rendition = sandbox.preview(original, chosen.recipe, wanted.longest_side, shrunk, assets)
    except AttemptFailed as error:
        raise PreviewFailed(error.detail, cause=error.slug) from error
    headers = {
        "ETag": f'"{rendition.sha256.hex()}"',
        "Cache-Control": "no-store",
        "Content-Security-Policy": BYTES_POLICY,
    }
    return Response(rendition.data, headers=headers, media_type=rendition.media_type)


def _original(service: Service, image_id: UUID) -> bytes:
    images = service.catalog.images
    picture = images.picture(image_id, "original", head=service.settings.max_upload_bytes)
    if picture is None:
        raise missing(image_id)
    return picture.head
