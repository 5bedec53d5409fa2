"""Serves ``POST /upload``: receives all pictures of one request, checks all, then stores the good ones."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from imagomortis.errors import ImagoMortisError, RefusedPicture, Unavailable
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe_choice import ChosenRecipe, choose
from imagomortis.spool.upload import Upload
from imagomortis_http.problems import problem_response
from upload_service import openapi
from upload_service.admission import Admission, NoAnswer, client_of, stopping
from upload_service.body import Body
from upload_service.form import assembly
from upload_service.form.assembly import Form, Refused
from upload_service.form.multipart import FormReader, boundary_of
from upload_service.metrics import UploaderMetrics
from upload_service.store.intake import Arrival, Intake
from upload_service.store.receipt import Receipt


def router(
    intake: Intake, metrics: UploaderMetrics, admission: Admission, max_bytes: int, idle_seconds: float
) -> APIRouter:
    """Return the route of uploads; it ends a request that sends nothing for ``idle_seconds``."""
    routes = APIRouter()

    @routes.post("/upload", status_code=HTTPStatus.CREATED, **openapi.UPLOAD)
    async def upload(request: Request) -> Response:
        with admission.request():
            body = Body(request.headers, request.receive, max_bytes, idle_seconds)
            receipt = Receipt(intake, metrics, "http", client_of(request))
            reception = _Reception(intake, receipt, body, max_bytes)
            return await reception.answer(request.headers.get("content-type"))

    return routes


class _Reception:
    """Receives the pictures of one request."""

    def __init__(self, intake: Intake, receipt: Receipt, body: Body, max_bytes: int) -> None:
        self._intake = intake
        self._receipt = receipt
        self._body = body
        self._max_bytes = max_bytes

    async def answer(self, content_type: str | None) -> Response:
        """Return the answer, also for an error or for a client that has left."""
        try:
            async with AsyncExitStack() as drafts:
                return _answer(await self._take(content_type, drafts))
        except ImagoMortisError as error:
            self._receipt.refuse(error)
            return problem_response(error)
        except ClientDisconnect:
            self._receipt.abort("the client left")
            return NoAnswer()
        except asyncio.CancelledError:  # the server is stopping, and its grace period is over
            self._receipt.abort("the uploader is stopping")
            return stopping()

    async def _take(self, content_type: str | None, drafts: AsyncExitStack) -> list[Upload | Refused]:
        reader = FormReader(boundary_of(content_type))
        received = await assembly.receive(self._body, reader, self._intake, drafts, self._max_bytes)
        choice = choose(received.recipe, self._intake.export_prefixes)
        checked = await self._body.unless_gone(self._check_all(received))
        return [await self._store(file, choice) for file in checked]

    async def _check_all(self, received: Form) -> list[tuple[Arrival, Header] | Refused]:
        # one at a time, so that a request with many pictures does not delay the others
        return [await self._check(file) for file in received.files]

    async def _check(self, file: Arrival | Refused) -> tuple[Arrival, Header] | Refused:
        if isinstance(file, Refused):
            return file
        try:
            return file, await self._receipt.check(file.path)
        except (RefusedPicture, Unavailable) as error:
            return Refused(file.filename, error)

    async def _store(self, file: tuple[Arrival, Header] | Refused, choice: ChosenRecipe) -> Upload | Refused:
        if isinstance(file, Refused):
            return self._refuse(file.filename, file.error)
        arrival, header = file
        try:
            return await self._receipt.store(arrival, header, choice)
        except ImagoMortisError as error:
            return self._refuse(arrival.filename, error)

    def _refuse(self, filename: str, error: ImagoMortisError) -> Refused:
        self._receipt.refuse(error, filename)
        return Refused(filename, error)


def _answer(outcomes: list[Upload | Refused]) -> Response:
    if len(outcomes) > 1:
        return JSONResponse([_outcome(each) for each in outcomes], _status(outcomes))
    (only,) = outcomes
    return problem_response(only.error) if isinstance(only, Refused) else JSONResponse(_outcome(only), 201)


def _outcome(outcome: Upload | Refused) -> dict[str, object]:
    if isinstance(outcome, Refused):
        return {"filename": outcome.filename, "problem": outcome.error.problem()}
    return {"uuid": str(outcome.id), "filename": outcome.filename}


def _status(outcomes: list[Upload | Refused]) -> int:
    """Return 201 if any picture was stored, else the status of the first problem."""
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    return refused[0].error.status if len(refused) == len(outcomes) else HTTPStatus.CREATED
