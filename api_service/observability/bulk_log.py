"""Logs bulk actions by image, because their requests do not name the images in the path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from imagomortis.logs import Log

log = Log(__name__)

A_LINE: Final = 100
"""Images per log line."""


def note(event: str, ids: Sequence[UUID]) -> None:
    """Log which images were deleted, restored, edited or retried."""
    for start in range(0, len(ids), A_LINE):
        log.info(event, images=ids[start : start + A_LINE])
