"""Answers with a picture's bytes: all of them, a range, or that they did not change."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from typing import Final
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from api_service import models, presentation
from api_service.dependencies import Service
from api_service.picture_bytes.conditions import Span, Unsatisfiable, is_unchanged, span_of
from api_service.picture_bytes.filenames import content_disposition, name_for
from api_service.prefix import prefix_of
from imagomortis.catalog.images import CHUNK, Images, Kind, Picture
from imagomortis.errors import NotFound

# keeps browsers from running or loading anything that the bytes hold
BYTES_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_MUTABLE: Final = "private, no-cache"
_IMMUTABLE: Final = "private, max-age=31536000, immutable"
WHOLE: Final = 4 * CHUNK
"""Largest picture, in bytes, that is answered in one piece."""


def answer(
    service: Service,
    request: Request,
    image_id: UUID,
    kind: Kind | None,
    *,
    download: bool,
    wanted: str | None = None,
) -> Response:
    """Return the requested bytes, by the request's conditions and range; ``wanted`` is the version in its link.

    Raises NotFound.
    """
    images = service.catalog.images
    linked = is_redirected(service, request, kind) and not download
    picture = images.picture(image_id, kind, WHOLE if is_whole(request) else 0, linked=linked)
    if picture is None:
        raise no_picture(images, image_id, kind)
    return respond(images, request, picture, download=download, is_original=kind == "original", wanted=wanted)


def is_whole(request: Request) -> bool:
    """Return whether the request asks for all bytes of a picture, unconditionally."""
    asked = request.headers
    return request.method == "GET" and "range" not in asked and "if-none-match" not in asked


def is_redirected(service: Service, request: Request, kind: Kind | None) -> bool:
    """Return whether the client is sent to the object store, if that has the bytes.

    The page gets its bytes here, because its policy allows no other origin. Thumbnails are sent from here because
    browsers cache them by their links, and each signed URL is a new one.
    """
    is_meant = service.settings.redirects and request.method == "GET" and kind != "thumbnail"
    return is_meant and not prefix_of(request)


def respond(
    images: Images, request: Request, picture: Picture, *, download: bool, is_original: bool, wanted: str | None
) -> Response:
    """Return the answer to a request for ``picture``; it never blocks."""
    asked = request.headers
    etag = f'"{picture.sha256.hex()}"'
    is_lasting = is_original or wanted == presentation.version(picture.sha256)
    headers = _headers(picture, etag, download=download, is_lasting=is_lasting)
    if is_unchanged(asked.get("if-none-match"), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if request.method == "HEAD":
        headers["Content-Length"] = str(picture.size)
        return Response(headers=headers, media_type=picture.media_type)
    if picture.link:
        return RedirectResponse(picture.link, HTTPStatus.FOUND, {"Cache-Control": "private, no-store"})
    span = span_of(asked.get("range"), asked.get("if-range"), etag, picture.size)
    if isinstance(span, Unsatisfiable):
        return _unsatisfiable(picture)
    return _whole_or_part(images, picture, span, headers)


def _whole_or_part(images: Images, picture: Picture, span: Span | None, headers: dict[str, str]) -> Response:
    status = HTTPStatus.OK
    if span:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = span.content_range(picture.size)
    span = span or Span(0, picture.size)
    if len(picture.head) == span.length:
        return Response(picture.head, status, headers, picture.media_type)
    pieces = _pieces(images, picture, span)
    headers["Content-Length"] = str(span.length)
    return StreamingResponse(pieces, status, headers, picture.media_type)


def _pieces(images: Images, picture: Picture, span: Span) -> Iterator[bytes]:
    have = len(picture.head)
    rest = images.read(picture, span.start + have, span.length - have)
    return chain([picture.head], rest) if have else rest


def _headers(picture: Picture, etag: str, *, download: bool, is_lasting: bool) -> dict[str, str]:
    filename = name_for(picture.filename, picture.output or picture.kind, picture.media_type)
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": _IMMUTABLE if is_lasting else _MUTABLE,
        "Content-Disposition": content_disposition(filename, attachment=download),
        "Content-Security-Policy": BYTES_POLICY,
    }


def _unsatisfiable(picture: Picture) -> Response:
    problem = models.Problem(
        type="about:blank",
        title="Range not satisfiable",
        status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        detail=f"The picture has {picture.size} bytes; ask for a range within them.",
    )
    return Response(
        problem.model_dump_json(),
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        {"Content-Range": f"bytes */{picture.size}"},
        "application/problem+json",
    )


def no_picture(images: Images, image_id: UUID, kind: Kind | None) -> NotFound:
    """Return the error that says which picture does not exist, and why."""
    found = images.one(image_id) if kind not in {None, "original"} else None
    if found is None:
        return missing(image_id)
    return NotFound(f"The image {image_id} has no {kind} picture yet; it is {found.state}.", state=found.state)


def missing(image_id: UUID) -> NotFound:
    """Return the error for an image that does not exist."""
    return NotFound(f"There is no image {image_id}. It may have been deleted.")
