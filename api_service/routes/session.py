"""Manages sessions: a page exchanges the access token for a cookie that its scripts cannot read."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from api_service import models
from api_service.dependencies import Here
from imagomortis.errors import Unauthorized
from imagomortis_http.callers.access import current_session, is_signed_in
from imagomortis_http.callers.client_address import client_address
from imagomortis_http.callers.session import COOKIE, Session

router = APIRouter(tags=["session"])

_OPEN: Final = models.Session(needs_token=False, signed_in=True)


@router.get("/session")
async def session(service: Here, request: Request) -> models.Session:
    """Tell whether a token is needed, and whether this client has signed in."""
    if service.gate is None:
        return _OPEN
    try:
        signed_in = await is_signed_in(request.scope, service.gate, service.sign_outs.has_ended)
    except Unauthorized:
        signed_in = False
    return models.Session(needs_token=True, signed_in=signed_in)


@router.post("/session")
async def sign_in(
    service: Here, request: Request, response: Response, credentials: models.Credentials
) -> models.Session:
    """Check the token and start a session, which is kept in a cookie."""
    if service.gate is None:
        return _OPEN
    service.gate.check(credentials.token, client_address(request.scope))
    cookie = Session.begin(service.settings.session_seconds).signed(service.gate.token)
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=_is_encrypted(request), path="/")
    return models.Session(needs_token=True, signed_in=True)


@router.delete("/session")
async def sign_out(service: Here, request: Request, response: Response) -> models.Session:
    """End the session in all processes of the API. The uploader accepts its cookie until it expires."""
    if service.gate is None:
        return _OPEN
    if ended := current_session(request.headers, service.gate):
        await service.sign_outs.end(ended)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_encrypted(request), path="/")
    return models.Session(needs_token=True, signed_in=False)


def _is_encrypted(request: Request) -> bool:
    """Return whether the browser uses https; over http it would not send a secure cookie back."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
