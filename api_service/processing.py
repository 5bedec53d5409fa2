"""Processing: its figures, and the switch that pauses it."""

from __future__ import annotations

from fastapi import APIRouter

from api_service import models
from api_service.service import Here

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


@router.get("/stats")
def stats(service: Here) -> models.Stats:
    """Return how many images there are in which state, how fast they are done, and who works on them."""
    return service.tally.stats()
