"""Writes one request's bytes into an upload, and stores the picture in the spool after the last byte."""

from __future__ import annotations

from starlette.datastructures import Headers

from imagomortis.errors import ImagoMortisError, InvalidRecipe, RefusedPicture, RequestTimeout
from imagomortis.recipe.recipe_choice import choose
from imagomortis.spool.any_spool import AnyUpload
from imagomortis.spool.resumable import Progress
from upload_service.body import Body
from upload_service.form.assembly import PORTION_BYTES
from upload_service.store.intake import Arrival, Intake
from upload_service.store.receipt import Receipt
from upload_service.tus.protocol import Checksum, ChecksumMismatch, TooManyBytes


class Reception:
    """Handles one request with bytes of an upload."""

    def __init__(self, intake: Intake, receipt: Receipt, upload: AnyUpload, checksum: Checksum | None) -> None:
        """Take the upload, and the expected checksum of the bytes."""
        self._intake = intake
        self._receipt = receipt
        self._upload = upload
        self._checksum = checksum
        self._hash = checksum.begin() if checksum else None
        self._portion = bytearray()

    async def take(self, body: Body, headers: Headers) -> Progress:
        """Append a body to the upload, store the picture if it is complete, and return the upload's progress.

        Without a checksum, received bytes are always kept. Raises TooManyBytes, ChecksumMismatch, the errors of
        ``body`` and of the disk, and RefusedPicture.
        """
        room = self._upload.note.length - self._upload.offset
        length = headers.get("content-length", "")
        coming = int(length) if length.isdecimal() else room
        if coming > room:
            raise self._too_many()
        await self._intake.run(lambda: self._upload.expect(coming))
        try:
            await self._receive(body, room)
        finally:
            await self._flush()
        if self._hash is not None and self._checksum is not None:
            if self._hash.digest() != self._checksum.digest:
                raise ChecksumMismatch(
                    f"The {self._checksum.algorithm} of the bytes does not match. They were dropped; send them again."
                )
            await self._intake.run(self._upload.accept)
        if self._upload.is_whole and not self._upload.is_complete:
            await self._store(body)
        return await self._intake.run(self._upload.progress)

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
                "Nothing came for too long, so the request was ended. The received bytes are kept: ask for the "
                "upload's offset with HEAD, and continue there."
            ) from None

    async def _flush(self) -> None:
        portion, self._portion = self._portion, bytearray()
        if portion:
            await self._intake.run(lambda: self._write(portion))

    def _write(self, portion: bytearray) -> None:
        if self._hash is None:
            self._upload.write([portion])
            return
        self._hash.update(portion)
        self._upload.hold([portion])

    async def _store(self, body: Body) -> None:
        try:
            choice = choose(self._upload.note.recipe, self._intake.export_prefixes)
            file, sha256 = await self._intake.run(self._upload.whole_file)
            header = await body.unless_gone(self._receipt.check(file))
            arrival = Arrival(
                self._upload.id, self._upload, self._upload.note.filename, sha256, self._upload.note.length
            )
            await self._receipt.store(arrival, header, choice)
        except ImagoMortisError as error:
            if isinstance(error, RefusedPicture | InvalidRecipe):
                await self._intake.run(self._upload.remove)
            self._receipt.refuse(error, self._upload.note.filename, self._upload.id)
            raise

    def _too_many(self) -> TooManyBytes:
        return TooManyBytes(
            f"The upload was announced with {self._upload.note.length:,} bytes, but more came. Upload the file "
            "again with its right length."
        )
