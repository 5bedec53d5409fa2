"""Turns errors into RFC 9457 problem documents, for every service."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from imagomortis.errors import ImagoMortisError, InvalidRequest
from imagomortis.logs import Log

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

log = Log(__name__)

MEDIA_TYPE = "application/problem+json"


def problem_response(error: ImagoMortisError) -> Response:
    """Return the response for ``error``."""
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="imagomortis"'
    if "retry_after" in error.members:
        headers["Retry-After"] = str(error.members["retry_after"])
    return _response(error.problem(), error.status, headers)


def install(app: Starlette, validation_error: type[Exception] | None = None) -> None:
    """Make ``app`` answer every error with a problem document; ``validation_error`` is FastAPI's, with ``errors()``."""
    app.add_exception_handler(ImagoMortisError, _on_domain_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected_error)
    if validation_error is not None:
        app.add_exception_handler(validation_error, _on_validation_error)


def _response(problem: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(problem, ensure_ascii=False, default=str), status, headers, media_type=MEDIA_TYPE)


async def _on_domain_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ImagoMortisError)  # noqa: S101  # it was registered for this class
    return problem_response(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # it was registered for this class
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else f"{request.method} {request.url.path}: {title.lower()}."
    problem = {"type": "about:blank", "title": title, "status": error.status_code, "detail": detail}
    return _response(problem, error.status_code, dict(error.headers or {}))


async def _on_validation_error(_: Request, error: Exception) -> Response:
    faults = error.errors()  # type: ignore[attr-defined]  # FastAPI's class, which this module does not import
    texts = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults]
    return problem_response(InvalidRequest(f"{'; '.join(texts)}.", faults=texts))


def _place(loc: tuple[object, ...]) -> str:
    return ".".join(str(part) for part in loc[1:]) or str(loc[0])


async def _on_unexpected_error(request: Request, error: Exception) -> Response:
    log.exception("crashed", method=request.method, path=request.url.path, error=repr(error))
    return problem_response(
        ImagoMortisError(
            "The server made a mistake, and has noted it in its log. Try again; if it persists, report it."
        )
    )
