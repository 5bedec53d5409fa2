"""Answers the health probes of the API's supervisor."""

from __future__ import annotations

from fastapi import APIRouter

from api_service import models
from api_service.dependencies import Here

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> models.Health:
    """Say that the process answers."""
    return models.Health()


@router.get("/readyz")
def readyz(service: Here) -> models.Health:
    """Say that the database answers too."""
    service.catalog.control.paused_at()
    return models.Health()
