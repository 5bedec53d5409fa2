"""Serves the probes of the uploader: whether it is alive, has started, and can take pictures now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter

from imagomortis.errors import ImagoMortisError, Unavailable
from upload_service import openapi
from upload_service.store.intake import Intake

ANSWER_SECONDS: Final = 5.0
"""How many seconds the test of an upload may take."""

RECENT_SECONDS: Final = 10.0
"""A result is reused for so many seconds."""

# a picture of one pixel
_PICTURE = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")


def router(intake: Intake) -> APIRouter:
    """Return the routes of the probes, below ``/`` and ``/upload/``."""
    routes = APIRouter()

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    async def startz() -> dict[str, str]:
        async with _answered("The decoder does not answer."):
            if not intake.checked_within(RECENT_SECONDS):
                await intake.try_decoder(_PICTURE)
        return {"status": "started"}

    trial = _Trial(intake)

    async def readyz() -> dict[str, str]:
        await trial.result()
        return {"status": "ready"}

    _add(routes, "healthz", healthz, openapi.HEALTHZ)
    _add(routes, "startz", startz, openapi.STARTZ)
    _add(routes, "readyz", readyz, openapi.READYZ)
    return routes


class NotReady(Unavailable):
    """An uploader that cannot take pictures now; ``cause`` is the slug of the error behind it."""

    slug = "not-ready"
    title = "Not ready"


def _add(
    routes: APIRouter, name: str, endpoint: Callable[[], Awaitable[dict[str, str]]], document: openapi.Operation
) -> None:
    routes.add_api_route(f"/{name}", endpoint, methods=["GET"], status_code=HTTPStatus.OK, **document)
    routes.add_api_route(f"/upload/{name}", endpoint, methods=["GET"], include_in_schema=False)


@asynccontextmanager
async def _answered(silence: str) -> AsyncIterator[None]:
    """Raise NotReady for an error in the block, and with the text ``silence`` if it takes too long."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise NotReady(silence) from None
    except ImagoMortisError as error:
        raise NotReady(error.detail, cause=error.slug) from error


class _Trial:
    """Tests every step of an upload, at most once in RECENT_SECONDS, because anybody can ask."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._lock = asyncio.Lock()
        self._ended = -float("inf")
        self._error: NotReady | None = None

    async def result(self) -> None:
        """Raise NotReady if the last test failed. It is repeated if it is not recent."""
        async with self._lock:
            if time.monotonic() - self._ended >= RECENT_SECONDS:
                self._error = await self._outcome()
                self._ended = time.monotonic()
        if self._error is not None:
            raise NotReady(self._error.detail, **self._error.members)

    async def _outcome(self) -> NotReady | None:
        try:
            async with _answered("The disk or the decoder does not answer."):
                await self._try_out()
        except NotReady as error:
            return error
        return None

    async def _try_out(self) -> None:
        await self._intake.run(self._intake.spool.check_writable)
        async with self._intake.draft() as file:
            arrival = await self._intake.run(lambda: file.finish("probe.gif", [_PICTURE]))
            if not self._intake.checked_within(RECENT_SECONDS):
                await self._intake.check(arrival.path, "probe")
