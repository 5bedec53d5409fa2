"""Answers the health probes of the API's supervisor."""

from __future__ import annotations

from fastapi import APIRouter

from api_service import models
from api_service.dependencies import Here

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> models.Health:
    """Answer that the process is alive."""
    return models.Health()


@router.get("/readyz")
def readyz(service: Here) -> models.Health:
    """Answer whether the database answers too."""
    service.catalog.control.paused_at()
    return models.Health()
