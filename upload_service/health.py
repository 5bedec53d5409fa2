"""Whether the uploader lives, whether it has started, and whether it can take pictures now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter

from imagomortis.errors import ImagoMortisError, Unavailable
from upload_service import openapi
from upload_service.intake import Intake

ANSWER_SECONDS: Final = 5.0
"""How long the whole way of a picture may take."""

RECENT_SECONDS: Final = 10.0
"""A decoder that answered so recently is not asked again."""

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

    async def readyz() -> dict[str, str]:
        async with _answered("The disk or the decoder does not answer."):
            await _try_out(intake)
        return {"status": "ready"}

    _add(routes, "healthz", healthz, openapi.HEALTHZ)
    _add(routes, "startz", startz, openapi.STARTZ)
    _add(routes, "readyz", readyz, openapi.READYZ)
    return routes


class NotReady(Unavailable):
    """An uploader that cannot take pictures now; ``cause`` is the kind of the error that says why."""

    slug = "not-ready"
    title = "Not ready"


def _add(
    routes: APIRouter, name: str, endpoint: Callable[[], Awaitable[dict[str, str]]], document: openapi.Operation
) -> None:
    routes.add_api_route(f"/{name}", endpoint, methods=["GET"], status_code=HTTPStatus.OK, **document)
    routes.add_api_route(f"/upload/{name}", endpoint, methods=["GET"], include_in_schema=False)


@asynccontextmanager
async def _answered(silence: str) -> AsyncIterator[None]:
    """Raise NotReady for what goes wrong in the block, and with ``silence`` for what takes too long."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise NotReady(silence) from None
    except ImagoMortisError as error:
        raise NotReady(error.detail, cause=error.slug) from error


async def _try_out(intake: Intake) -> None:
    """Do all that an upload does, but store; raises DiskFull, Unavailable, or what the decoder says of the picture."""
    async with intake.draft() as file:
        arrival = await intake.run(lambda: file.finish("probe.gif", [_PICTURE]))
        if not intake.checked_within(RECENT_SECONDS):
            await intake.check(arrival.path, "probe")
