"""Sessions: a page exchanges the access token for a cookie that its scripts cannot read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api_service import models
from api_service.service import Here
from imagomortis.errors import Unauthorized
from imagomortis.http.access import COOKIE, given_token, is_token

router = APIRouter(tags=["session"])


@router.get("/session")
async def session(service: Here, request: Request) -> models.Session:
    """Tell whether a token is needed, and whether this client has given the right one."""
    token = service.settings.required_token
    if token is None:
        return models.Session(needs_token=False, signed_in=True)
    given = given_token(request.headers)
    return models.Session(needs_token=True, signed_in=given is not None and is_token(given, token))


@router.post("/session")
async def sign_in(
    service: Here, request: Request, response: Response, credentials: models.Credentials
) -> models.Session:
    """Take the token and keep it in a cookie."""
    token = service.settings.required_token
    if token is None:
        return models.Session(needs_token=False, signed_in=True)
    if not is_token(credentials.token, token):
        raise Unauthorized("The access token is not the right one. Ask whoever runs this server for it.")
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=_is_encrypted(request), path="/")
    return models.Session(needs_token=True, signed_in=True)


@router.delete("/session")
async def sign_out(service: Here, request: Request, response: Response) -> models.Session:
    """Forget the token."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_encrypted(request), path="/")
    return models.Session(
        needs_token=service.settings.required_token is not None, signed_in=service.settings.required_token is None
    )


def _is_encrypted(request: Request) -> bool:
    """Whether the browser came by https; a cookie marked secure would not come back by http."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
