"""Answers plain requests for pictures' bytes, which are the most frequent, without FastAPI's routing.

If only the path of a request needs a check, FastAPI's work for it would take longer than the answer. Small pictures are
read in the event loop, because a thread would take longer than the read. Large ones are read in threads, where the
copying does not block the event loop. All other requests for bytes, invalid ones included, go to the routes in
``pictures``, which describe both paths in the OpenAPI document.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api_service.picture_bytes.responses import WHOLE, is_redirected, is_whole, no_picture, respond
from api_service.routes import pictures
from imagomortis.catalog.images import Kind, Picture
from imagomortis.errors import ImagoMortisError
from imagomortis_http.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api_service.dependencies import Service

_PATH: Final = re.compile(
    r"/images/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/(original|processed|thumbnail))?"
)
_VERSION: Final = re.compile(rb"v=([0-9a-f]{1,64})")

SMALL: Final = 1024 * 1024
"""Largest picture, in bytes, that is read in the event loop. At this size a thread takes equally long."""

MOST_KNOWN: Final = 10_000
"""Pictures that are remembered as small."""

_NAMES: Final[dict[Kind | None, str]] = {
    None: pictures.best_picture.__name__,
    **{kind: kind for kind in pictures.KINDS},
}
_ROUTES: Final = {
    kind: next(route for route in pictures.router.routes if isinstance(route, APIRoute) and route.name == name)
    for kind, name in _NAMES.items()
}
"""The routes that describe these answers, by kind of picture."""


class FastPathMiddleware:
    """An ASGI middleware that answers requests for bytes that have no query, or only the version from a link."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Take the application, and the services for the answers."""
        self._app = app
        self._service = service
        self._small: set[tuple[UUID, Kind | None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        asked = _asked(scope) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[asked.kind]
        scope["path_params"] = {"image_id": asked.image_id}
        try:
            response = await self._answer(Request(scope), asked)
        except ImagoMortisError as error:
            response = problem_response(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request, asked: _Asked) -> Response:
        images, read_pool = self._service.catalog.images, self._service.read_pool
        linked = is_redirected(self._service, request, asked.kind)
        picture = await (self._read(asked, linked) if is_whole(request) else self._read_soon(asked, 0, linked))
        if picture is None:
            raise await read_pool.run(no_picture, images, asked.image_id, asked.kind)
        is_original = asked.kind == "original"
        return respond(images, request, picture, download=False, is_original=is_original, wanted=asked.version)

    async def _read(self, asked: _Asked, linked: bool) -> Picture | None:
        """Return a picture with its bytes, the first of them or a link to them, and remember if it is small."""
        key = (asked.image_id, asked.kind)
        if asked.kind == "thumbnail" or key in self._small:
            return await self._read_soon(asked, SMALL, linked)
        read = partial(self._service.catalog.images.picture, linked=linked)
        picture = await self._service.read_pool.run(read, *key, WHOLE)
        if picture and picture.size <= SMALL:
            if len(self._small) == MOST_KNOWN:
                self._small.clear()
            self._small.add(key)
        return picture

    async def _read_soon(self, asked: _Asked, head: int, linked: bool) -> Picture | None:
        return await self._service.catalog.images.picture_soon(
            self._service.loop_database, asked.image_id, asked.kind, head, linked=linked
        )


class _Asked(NamedTuple):
    """The picture that a request asks for."""

    image_id: UUID
    kind: Kind | None
    version: str | None


def _asked(scope: Scope) -> _Asked | None:
    """Return the requested picture; None if the request needs more checks."""
    path = _PATH.fullmatch(scope["path"])
    if path is None or scope["method"] not in {"GET", "HEAD"}:
        return None
    image_id, kind = UUID(path[1]), path[2]
    if not scope["query_string"]:
        return _Asked(image_id, kind, None)
    version = _VERSION.fullmatch(scope["query_string"])
    if version is None or kind not in {"processed", "thumbnail"}:
        return None
    return _Asked(image_id, kind, version[1].decode())
