"""Checks and stores a picture that has arrived, in the same way for uploads, the inbox folder and buckets."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from imagomortis import traces
from imagomortis.errors import AttemptFailed, ImagoMortisError, RefusedPicture
from imagomortis.logs import Log
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe_choice import ChosenRecipe
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.spool.upload import Upload

log = Log(__name__)


def check(sandbox: Sandbox, path: Path) -> Header:
    """Check a picture and return its header; raises RefusedPicture."""
    try:
        return sandbox.check(path)
    except AttemptFailed as error:
        raise RefusedPicture(
            f"The picture cannot be opened: {error.detail} Save it with a photo program, and upload the new file.",
            cause=error.slug,
        ) from error


def accepted(
    image_id: UUID, header: Header, choice: ChosenRecipe, *, filename: str, size: int, sha256: bytes
) -> Upload:
    """Return the upload that a checked picture becomes now."""
    return Upload(
        id=image_id,
        created_at=datetime.now(UTC),
        filename=filename,
        media_type=header.media_type,
        sha256=sha256,
        size=size,
        width=header.width,
        height=header.height,
        recipe=choice.recipe,
        recipe_digest=choice.digest,
        recipe_name=choice.name,
    )


def store(upload: Upload, put: Callable[[Upload], object]) -> None:
    """Let ``put`` make an accepted picture a durable entry of the spool, and begin its trace."""
    began = time.perf_counter()
    put(upload)
    traces.note(traces.FIRST, upload.id, time.perf_counter() - began, bytes=upload.size, recipe=upload.recipe_name)


def log_stored(upload: Upload, seconds: float) -> None:
    """Log a picture that was stored, and how long that took since its arrival."""
    log.info(
        "stored",
        image=upload.id,
        filename=upload.filename,
        bytes=upload.size,
        media_type=upload.media_type,
        resolution=f"{upload.width}x{upload.height}",
        seconds=round(seconds, 4),
    )


def log_refused(error: ImagoMortisError, filename: str | None, image: UUID | None, seconds: float) -> None:
    """Log a picture, or a whole request, that was refused or failed with ``error``."""
    known = {"image": image} if image else {}
    log.info("refused", **known, filename=filename, error=error.detail, kind=error.slug, seconds=round(seconds, 4))
