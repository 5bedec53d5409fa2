"""Serves the verbs of the tus protocol below ``/upload/tus/``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from imagomortis.errors import DiskFull, InvalidRecipe, NotFound, PictureTooLarge, RefusedPicture, Unavailable
from imagomortis.logs import Log
from imagomortis.recipe.recipe_choice import choose
from imagomortis.spool.any_spool import AnyUpload, AnyUploads
from imagomortis.spool.resumable import Note
from imagomortis.spool.upload import clean_filename
from upload_service.admission import Admission, NoAnswer, client_of, stopping
from upload_service.body import MIB, Body
from upload_service.metrics import UploaderMetrics
from upload_service.store.intake import Intake
from upload_service.store.receipt import Receipt
from upload_service.tus import document, protocol
from upload_service.tus.protocol import PATH, WrongOffset
from upload_service.tus.reception import Reception

log = Log(__name__)


class Verbs:
    """The actions on uploads, one per verb."""

    def __init__(
        self,
        intake: Intake,
        metrics: UploaderMetrics,
        admission: Admission,
        uploads: AnyUploads,
        *,
        max_bytes: int,
        idle_seconds: float,
    ) -> None:
        """Take the largest number of bytes of a picture, and how many seconds a client may send nothing."""
        self._intake = intake
        self._metrics = metrics
        self._admission = admission
        self._uploads = uploads
        self._max_bytes = max_bytes
        self._idle_seconds = idle_seconds

    async def options(self) -> Response:
        """Return the capabilities of this server."""
        headers = {
            "Tus-Version": protocol.VERSION,
            "Tus-Extension": protocol.EXTENSIONS,
            "Tus-Max-Size": str(self._max_bytes),
            "Tus-Checksum-Algorithm": ",".join(protocol.ALGORITHMS),
        }
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)

    async def head(self, request: Request) -> Response:
        """Return the progress of an upload."""
        protocol.check_version(request.headers)
        identifier = _identifier(request)
        progress = await self._intake.run(lambda: self._uploads.look(identifier))
        headers = {
            "Upload-Length": str(progress.note.length),
            "Cache-Control": "no-store",
            **protocol.told(progress),
            **({"Upload-Metadata": progress.note.metadata} if progress.note.metadata else {}),
        }
        return Response(status_code=HTTPStatus.OK, headers=headers)

    async def post(self, request: Request) -> Response:
        """Begin an upload, with its first bytes or without."""
        return await _answered(self._begin(request))

    async def _begin(self, request: Request) -> Response:
        protocol.check_version(request.headers)
        has_body = protocol.has_body(request.headers)
        if has_body:
            protocol.check_media_type(request.headers)
        checksum = protocol.checksum(request.headers)
        with self._admission.request(), self._intake.at_work():
            upload = await self._announced(request)
            is_told = False
            try:
                if has_body or not upload.note.length:
                    reception = Reception(self._intake, self._receipt(request), upload, checksum)
                    progress = await reception.take(self._body(request, upload.note.length), request.headers)
                else:
                    progress = await self._intake.run(upload.progress)
                is_told = True
            finally:
                try:
                    if not is_told and not upload.is_complete:  # no client knows its address
                        await self._intake.run(upload.remove)
                finally:
                    await self._intake.run(upload.close)
        place = request.url.path.rpartition("/")[2]
        headers = {"Location": f"{place}/{upload.id}" if place else str(upload.id), **protocol.told(progress)}
        return Response(status_code=HTTPStatus.CREATED, headers=headers)

    async def patch(self, request: Request) -> Response:
        """Add bytes to an upload."""
        return await _answered(self._append(request))

    async def _append(self, request: Request) -> Response:
        protocol.check_version(request.headers)
        protocol.check_media_type(request.headers)
        offset = protocol.offset(request.headers)
        checksum = protocol.checksum(request.headers)
        with self._admission.request():
            async with self._held(_identifier(request)) as upload:
                if offset != upload.offset:
                    raise WrongOffset(
                        f"The upload is at {upload.offset:,}, not at {offset:,}. Send the bytes from there on.",
                        offset=upload.offset,
                    )
                reception = Reception(self._intake, self._receipt(request), upload, checksum)
                body = self._body(request, upload.note.length - upload.offset)
                progress = await reception.take(body, request.headers)
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=protocol.told(progress))

    async def delete(self, request: Request) -> Response:
        """End an upload; a picture that is stored already stays."""
        protocol.check_version(request.headers)
        async with self._held(_identifier(request)) as upload:
            await self._intake.run(upload.remove)
            if not upload.is_complete:
                self._metrics.count("tus", "aborted")
                log.info("aborted", image=upload.id, filename=upload.note.filename, error="the client ended it")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _announced(self, request: Request) -> AnyUpload:
        try:
            note = self._note(request.headers)
            return await self._intake.run(lambda: self._uploads.begin(note, self._intake.promises.bytes))
        except (RefusedPicture, InvalidRecipe, DiskFull, Unavailable) as error:
            self._metrics.count("tus", "refused" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed")
            log.info("refused", error=error.detail, kind=error.slug)
            raise

    def _note(self, headers: Headers) -> Note:
        length = protocol.announced_length(headers)
        if length > self._max_bytes:
            raise PictureTooLarge(
                f"The file has {length / MIB:.1f} MiB; at most {self._max_bytes / MIB:.4g} MiB are allowed. Make the "
                "picture smaller and upload it again."
            )
        found = protocol.metadata(headers)
        recipe = protocol.recipe_of(found)
        choose(recipe, self._intake.export_prefixes)  # reports a fault of the recipe before the bytes arrive
        filename = clean_filename(found.get("filename", b"").decode("utf-8", "replace"))
        return Note(length=length, metadata=headers.get("upload-metadata", ""), filename=filename, recipe=recipe)

    def _receipt(self, request: Request) -> Receipt:
        return Receipt(self._intake, self._metrics, "tus", client_of(request))

    def _body(self, request: Request, most: int) -> Body:
        return Body(request.headers, request.receive, most, self._idle_seconds)

    @asynccontextmanager
    async def _held(self, identifier: UUID) -> AsyncIterator[AnyUpload]:
        with self._intake.at_work():
            upload = await self._intake.run(lambda: self._uploads.open(identifier))
            try:
                yield upload
            except (ClientDisconnect, asyncio.CancelledError):
                log.info("interrupted", image=identifier, bytes=upload.offset)
                raise
            finally:
                await self._intake.run(upload.close)


def router(verbs: Verbs, max_bytes: int) -> APIRouter:
    """Return the routes of resumable uploads."""
    routes = APIRouter(default_response_class=Response)
    one = f"{PATH}/{{upload}}"
    routes.add_api_route(f"{PATH}/", verbs.options, methods=["OPTIONS"], status_code=204, **document.OPTIONS)
    routes.add_api_route(f"{PATH}/", verbs.post, methods=["POST"], status_code=201, **document.post(max_bytes))
    routes.add_api_route(one, verbs.head, methods=["HEAD"], **document.HEAD)
    routes.add_api_route(one, verbs.patch, methods=["PATCH"], status_code=204, **document.PATCH)
    routes.add_api_route(one, verbs.delete, methods=["DELETE"], status_code=204, **document.DELETE)
    for path, endpoint, method in (
        (PATH, verbs.options, "OPTIONS"),
        (PATH, verbs.post, "POST"),
        (one, verbs.options, "OPTIONS"),
    ):
        routes.add_api_route(path, endpoint, methods=[method], include_in_schema=False)
    return routes


async def _answered(work: Awaitable[Response]) -> Response:
    try:
        return await work
    except ClientDisconnect:
        return NoAnswer()
    except asyncio.CancelledError:  # the server is stopping, and its grace period is over
        return stopping()


def _identifier(request: Request) -> UUID:
    """Return the requested upload's id; raises NotFound if it is not a UUID in canonical form."""
    text = request.path_params["upload"]
    try:
        identifier = UUID(text)
    except ValueError:
        identifier = None
    if identifier is None or str(identifier) != text:
        raise NotFound("There is no such upload. Begin one with POST.")
    return identifier
