"""Deletes images, and restores them while that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api_service import models
from api_service.dependencies import Here, Service
from api_service.observability import bulk_log
from api_service.openapi import NOT_FOUND
from api_service.picture_bytes.responses import missing
from api_service.routes.images import ImageId

router = APIRouter(tags=["deletion"])

Permanently = Annotated[bool, Query(description="not into the trash; they can be restored for a minute")]


@router.delete("/image/{image_id:uuid}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
@router.delete(
    "/images/{image_id:uuid}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND, operation_id="delete_one_image"
)
def delete_image(service: Here, image_id: ImageId, permanently: Permanently = False) -> Response:
    """Delete an image. It can be restored for a minute, or from the trash if there is one."""
    if not _delete(service, [image_id], permanently=permanently):
        raise missing(image_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/all", status_code=HTTPStatus.NO_CONTENT)
def delete_all(service: Here, permanently: Permanently = False) -> Response:
    """Delete all images. They can be restored for a minute, or from the trash if there is one."""
    if (keep := _kept(service)) and not permanently:
        service.catalog.trash.put_all(keep)
    else:
        service.catalog.images.delete_all()
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/images/delete")
def delete_images(service: Here, wanted: models.DeleteMany) -> models.Deleted:
    """Delete many images; return the deleted ones."""
    deleted = _delete(service, wanted.ids, permanently=wanted.permanently)
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


def _delete(service: Service, ids: Sequence[UUID], *, permanently: bool) -> list[UUID]:
    if (keep := _kept(service)) and not permanently:
        return service.catalog.trash.put(ids, keep)
    return service.catalog.images.delete(ids, also_trashed=permanently)


def _kept(service: Service) -> timedelta:
    """Return how long an image stays in the trash; zero if there is no trash."""
    return timedelta(days=service.settings.trash_days)
