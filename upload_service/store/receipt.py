"""Checks, stores, counts and logs received pictures, in the same way for form, tus and inbox."""

from __future__ import annotations

import time
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from imagomortis.errors import ImagoMortisError
from imagomortis.logs import Log
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe_choice import ChosenRecipe
from imagomortis.spool.upload import Upload
from imagomortis.work import acceptance
from upload_service.metrics import Source, UploaderMetrics
from upload_service.store.intake import Arrival, Intake

log = Log(__name__)


class Receipt:
    """Handles the pictures of one request, or one file of the inbox."""

    def __init__(self, intake: Intake, metrics: UploaderMetrics, source: Source, client: str) -> None:
        """Take the intake, the metrics, the source of the pictures, and the client for the fair queue."""
        self._intake = intake
        self._metrics = metrics
        self._source: Source = source
        self._client = client
        self._began = time.perf_counter()

    async def check(self, path: Path) -> Header:
        """Check a picture and return its header; raises RefusedPicture or Unavailable."""
        return await self._intake.check(path, self._client)

    async def store(self, arrival: Arrival, header: Header, choice: ChosenRecipe) -> Upload:
        """Make a checked picture a durable entry of the spool; raises DiskFull or Unavailable."""
        upload = await self._intake.store(arrival, header, choice)
        self._metrics.count(self._source, "stored", upload.size)
        acceptance.log_stored(upload, self._seconds())
        return upload

    def refuse(self, error: ImagoMortisError, filename: str | None = None, image: UUID | None = None) -> None:
        """Count and log a picture, or a whole request, that was refused or failed with ``error``."""
        is_ours = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._metrics.count(self._source, "failed" if is_ours else "refused")
        acceptance.log_refused(error, filename, image, self._seconds())

    def abort(self, why: str) -> None:
        """Count and log a request that ended before it was complete."""
        self._metrics.count(self._source, "aborted")
        log.info("aborted", error=why, seconds=self._seconds())

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._began, 4)
