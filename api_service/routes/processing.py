"""Reports on processing, and pauses and resumes it."""

from __future__ import annotations

from fastapi import APIRouter

from api_service import models
from api_service.dependencies import Here

router = APIRouter(tags=["processing"])


@router.post("/pause")
def pause(service: Here) -> models.Switch:
    """Pause processing. Images that have begun are finished."""
    service.catalog.control.pause()
    return models.Switch(paused=True)


@router.post("/resume")
def resume(service: Here) -> models.Switch:
    """Resume processing."""
    service.catalog.control.resume()
    return models.Switch(paused=False)


@router.post("/reprocess")
def reprocess(service: Here, span: models.Span) -> models.Queued:
    """Queue the done and failed images of a span of time again."""
    return models.Queued(queued=service.catalog.images.reprocess(span.since, span.until))


@router.post("/cancel")
def cancel(service: Here) -> models.Cancelled:
    """Empty the queue.

    Images that already have the processed picture of their recipe become done. The others become failed, and can be
    retried.
    """
    return models.Cancelled(cancelled=service.catalog.images.cancel_queued())


@router.get("/stats")
def stats(service: Here) -> models.Stats:
    """Return the number of images by state, the rate of processing, and the workers."""
    return service.tally.stats()
