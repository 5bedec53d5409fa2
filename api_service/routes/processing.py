"""Reports on processing, and pauses and resumes it."""

from __future__ import annotations

from fastapi import APIRouter

from api_service import models
from api_service.dependencies import Here

router = APIRouter(tags=["processing"])


@router.post("/pause")
def pause(service: Here) -> models.Switch:
    """Let no further image be begun; those under way are finished."""
    service.catalog.control.pause()
    return models.Switch(paused=True)


@router.post("/resume")
def resume(service: Here) -> models.Switch:
    """Let images be processed again."""
    service.catalog.control.resume()
    return models.Switch(paused=False)


@router.post("/reprocess")
def reprocess(service: Here, span: models.Span) -> models.Queued:
    """Queue the images again that were created in a span of time and are done or failed."""
    return models.Queued(queued=service.catalog.images.reprocess(span.since, span.until))


@router.post("/cancel")
def cancel(service: Here) -> models.Cancelled:
    """Take everything out of the queue that waits in it.

    An image that has its processed picture by the same recipe already is done; any other one is failed, and can be
    retried.
    """
    return models.Cancelled(cancelled=service.catalog.images.cancel_queued())


@router.get("/stats")
def stats(service: Here) -> models.Stats:
    """Return how many images there are in which state, how fast they are done, and who works on them."""
    return service.tally.stats()
