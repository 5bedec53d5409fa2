"""Takes the bytes of one request into an upload, and with the last one the picture into the spool."""

from __future__ import annotations

import time

from starlette.datastructures import Headers

from imagomortis.errors import ImagoMortisError, InvalidRecipe, RefusedPicture, RequestTimeout
from imagomortis.logs import Log
from imagomortis.spool.resumable import Part, Progress
from upload_service.body import Body
from upload_service.form import PORTION_BYTES
from upload_service.intake import Arrival, Intake, facts
from upload_service.metrics import Metrics, Outcome
from upload_service.recipes import choose
from upload_service.tus.protocol import Checksum, ChecksumMismatch, TooManyBytes

log = Log(__name__)


class Reception:
    """One request with bytes of an upload, which it holds."""

    def __init__(self, intake: Intake, metrics: Metrics, part: Part, checksum: Checksum | None, client: str) -> None:
        """Take the upload, the checksum that the bytes must have, and the address of the client."""
        self._intake = intake
        self._metrics = metrics
        self._part = part
        self._checksum = checksum
        self._client = client
        self._hash = checksum.begin() if checksum else None
        self._portion = bytearray()
        self._began = time.perf_counter()

    async def take(self, body: Body, headers: Headers) -> Progress:
        """Add a body to the upload, store the picture if that was the last of it, and return how far it is.

        Without a checksum, what came is kept however this ends. Raises TooManyBytes, ChecksumMismatch, what ``body``
        and the disk raise, and what is wrong with the picture.
        """
        room = self._part.note.length - self._part.offset
        length = headers.get("content-length", "")
        coming = int(length) if length.isdecimal() else room
        if coming > room:
            raise self._too_many()
        await self._intake.run(lambda: self._part.expect(coming))
        try:
            await self._receive(body, room)
        finally:
            await self._flush()
        if self._hash is not None and self._checksum is not None:
            if self._hash.digest() != self._checksum.digest:
                raise ChecksumMismatch(
                    f"The {self._checksum.algorithm} of the bytes is another one. Nothing of them was kept; send them "
                    "again."
                )
            await self._intake.run(self._part.accept)
        if self._part.is_whole and not self._part.is_complete:
            await self._store(body)
        return await self._intake.run(self._part.progress)

    async def _receive(self, body: Body, room: int) -> None:
        received = 0
        try:
            async for chunk in body.chunks():
                received += len(chunk)
                if received > room:
                    raise self._too_many()
                self._portion += chunk
                if len(self._portion) >= PORTION_BYTES:
                    await self._flush()
        except RequestTimeout:
            raise RequestTimeout(
                "Nothing came for too long, so the request was ended. What came before is kept: ask how far the upload "
                "is, and go on from there."
            ) from None

    async def _flush(self) -> None:
        portion, self._portion = self._portion, bytearray()
        if portion:
            await self._intake.run(lambda: self._write(portion))

    def _write(self, portion: bytearray) -> None:
        if self._hash is None:
            self._part.write([portion])
            return
        self._hash.update(portion)
        self._part.hold([portion])

    async def _store(self, body: Body) -> None:
        try:
            choice = choose(self._part.note.recipe)
            check = self._intake.check(self._part.draft.original, self._client)
            header = await body.unless_gone(check)
            sha256 = await self._intake.run(self._part.digest)
            arrival = Arrival(self._part.id, self._part, self._part.note.filename, sha256, self._part.note.length)
            upload = await self._intake.store(arrival, header, choice)
        except (RefusedPicture, InvalidRecipe) as error:
            await self._intake.run(self._part.remove)
            self._count("refused", error)
            raise
        except ImagoMortisError as error:
            self._count("failed", error)
            raise
        self._metrics.count("tus", "stored", upload.size)
        log.info("stored", **facts(upload), seconds=self._seconds())

    def _count(self, outcome: Outcome, error: ImagoMortisError) -> None:
        self._metrics.count("tus", outcome)
        log.info(
            "refused",
            image=self._part.id,
            filename=self._part.note.filename,
            error=error.detail,
            kind=error.slug,
            seconds=self._seconds(),
        )

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._began, 4)

    def _too_many(self) -> TooManyBytes:
        return TooManyBytes(
            f"The upload was announced with {self._part.note.length:,} bytes, and more came. Upload the file anew with "
            "its right length."
        )
