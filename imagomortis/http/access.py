"""Who may use a listener: those who bring the token, or, on loopback, whoever calls it by a known host name.

A browser lets any web page send requests to ``localhost``, and a page whose name resolves to 127.0.0.1 may even read
the answers; both bring a foreign ``Host`` or ``Origin``, so open listeners look at these.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from imagomortis.errors import Forbidden, ImagoMortisError, Unauthorized
from imagomortis.http.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE: Final = "imagomortis_token"

OPEN_PATHS: Final = frozenset(
    {
        *("/healthz", "/startz", "/readyz"),
        *("/api/healthz", "/api/readyz"),
        *("/upload/healthz", "/upload/startz", "/upload/readyz"),
    }
)
"""Paths that need neither token nor host name: probes call them."""

SESSION_PATHS: Final = frozenset({"/session", "/api/session"})
"""Where a page exchanges the token for a cookie; the endpoint checks the token itself."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class AccessMiddleware:
    """An ASGI middleware that lets nobody through who may not use the listener."""

    def __init__(self, app: ASGIApp, token: str | None, hosts: Collection[str]) -> None:
        """Take the required token, or None for open access, and the host names that an open listener goes by.

        An empty collection of hosts lets an open listener be called by any name.
        """
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem document."""
        if scope["type"] == "http":
            try:
                self._check(scope["path"], scope["method"], Headers(scope=scope))
            except ImagoMortisError as error:
                await problem_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, path: str, method: str, headers: Headers) -> None:
        if path in OPEN_PATHS:
            return
        if self._token is None:
            if self._hosts:
                check_host(headers, self._hosts)
        elif path not in SESSION_PATHS:
            self._check_token(headers, self._token)
        if method not in _SAFE_METHODS:
            _check_origin(headers)

    @staticmethod
    def _check_token(headers: Headers, token: str) -> None:
        given = given_token(headers)
        if given is None:
            raise Unauthorized("Send the access token as `Authorization: Bearer <token>`, or sign in on the page.")
        if not is_token(given, token):
            raise Unauthorized("The access token is not the right one. Ask whoever runs this server for it.")


def is_token(given: str, token: str) -> bool:
    """Compare tokens in a time that does not tell how much of them is right."""
    return hmac.compare_digest(given.encode(), token.encode())


def given_token(headers: Headers) -> str | None:
    """Return the token of the ``Authorization`` header or of the cookie."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    # as browsers read it: another application's cookie on this host may be anything
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def check_host(headers: Headers, hosts: Collection[str]) -> None:
    """Raise Forbidden unless the request came by one of the ``hosts`` (names without ports)."""
    name = host_name(headers.get("host", ""))
    if name not in hosts:
        raise Forbidden(
            f"This listener is not known by the name {name!r}. Call it as localhost, or add the name to "
            "IMAGOMORTIS_ALLOWED_HOSTS.",
        )


def host_name(host: str) -> str:
    """Return a ``Host`` header without its port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _check_origin(headers: Headers) -> None:
    """Raise Forbidden for a change that a page of another site asks for (cross-site request forgery)."""
    origin = headers.get("origin")
    if origin is None:
        return
    if host_name(urlsplit(origin).netloc) != host_name(headers.get("x-forwarded-host") or headers.get("host", "")):
        raise Forbidden(f"A page of {origin} may not change anything here.")
