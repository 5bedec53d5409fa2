"""Deletes images, and restores them while that is possible."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api_service import models
from api_service.dependencies import Here
from api_service.observability import bulk_log
from api_service.openapi import NOT_FOUND
from api_service.picture_bytes.responses import missing
from api_service.routes.images import ImageId

router = APIRouter(tags=["deletion"])


@router.delete("/image/{image_id:uuid}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
@router.delete(
    "/images/{image_id:uuid}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND, operation_id="delete_one_image"
)
def delete_image(service: Here, image_id: ImageId) -> Response:
    """Delete an image; it can be restored for a minute."""
    if not service.catalog.images.delete([image_id]):
        raise missing(image_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/all", status_code=HTTPStatus.NO_CONTENT)
def delete_all(service: Here) -> Response:
    """Delete all images. They can be restored for a minute."""
    service.catalog.images.delete_all()
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/images/delete")
def delete_images(service: Here, selection: models.Selection) -> models.Deleted:
    """Delete many images; return the deleted ones."""
    deleted = service.catalog.images.delete(selection.ids)
    bulk_log.note("deleted", deleted)
    return models.Deleted(deleted=deleted)


@router.post("/images/restore")
def restore_images(service: Here, wanted: models.RestoreSome | models.RestoreAll) -> models.Restored:
    """Restore some or all deleted images. Purged images are lost."""
    images = service.catalog.images
    if isinstance(wanted, models.RestoreAll):
        return models.Restored(restored=[], count=images.restore_all())
    restored = images.restore(wanted.ids)
    bulk_log.note("restored", restored)
    return models.Restored(restored=restored, count=len(restored))
