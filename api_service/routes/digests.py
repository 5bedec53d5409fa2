"""Looks up known digests, so that clients can avoid uploading a picture twice."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api_service import models
from api_service.dependencies import Here

router = APIRouter(tags=["images"])


@router.post("/digests")
def known_digests(service: Here, digests: models.Digests) -> dict[str, UUID]:
    """Return for each SHA-256 of an original that is known the oldest image that has it.

    It is a hint: every upload is stored, known or not.
    """
    known = service.catalog.images.known_digests([bytes.fromhex(digest) for digest in digests.sha256])
    return {digest.hex(): image_id for digest, image_id in known.items()}
