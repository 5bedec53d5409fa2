"""Decides who may use a listener: a client needs the token or a session; an open listener needs a known host name.

A browser lets any web page send requests to ``localhost``. A page whose name resolves to 127.0.0.1 can even read the
answers (DNS rebinding). Such requests carry a foreign ``Host`` or ``Origin``, so open listeners check both headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from imagomortis.errors import Forbidden, ImagoMortisError, Unauthorized
from imagomortis_http.callers.client_address import client_address
from imagomortis_http.callers.origin import check_page, normal
from imagomortis_http.callers.session import COOKIE, Session
from imagomortis_http.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

    from imagomortis_http.callers.token_gate import TokenGate

    HasEnded = Callable[[Session], Awaitable[bool]]

OPEN_PATHS: Final = frozenset(
    {
        *("/healthz", "/startz", "/readyz"),
        *("/api/healthz", "/api/readyz"),
        *("/upload/healthz", "/upload/startz", "/upload/readyz"),
    }
)
"""Paths that need neither a token nor a host name, because probes call them."""

SESSION_PATHS: Final = frozenset({"/session", "/api/session"})
"""Paths at which a page exchanges the token for a session. Their endpoint checks the token itself."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


async def never_ends(_: Session) -> bool:
    """Return False: this service does not record which sessions were signed out."""
    return False


class AccessMiddleware:
    """An ASGI middleware that refuses clients that may not use the listener."""

    def __init__(
        self,
        app: ASGIApp,
        gate: TokenGate | None,
        hosts: Collection[str],
        origins: Collection[str] = (),
        has_ended: HasEnded = never_ends,
    ) -> None:
        """Take the token's gate (None for open access) and the host names that an open listener accepts.

        If ``hosts`` is empty, an open listener accepts any host name. Pages of ``origins`` may change things, like
        pages of the listener's own origin. ``has_ended`` returns whether a session was signed out.
        """
        self._app = app
        self._gate = gate
        self._hosts = frozenset(hosts)
        self._origins = frozenset(normal(origin) for origin in origins)
        self._has_ended = has_ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem document."""
        if scope["type"] == "http":
            try:
                await self._check(scope)
            except ImagoMortisError as error:
                await problem_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        if scope["path"] in OPEN_PATHS:
            return
        headers = Headers(scope=scope)
        if self._gate is None:
            if self._hosts:
                check_host(headers, self._hosts)
        elif scope["path"] not in SESSION_PATHS and not await is_signed_in(scope, self._gate, self._has_ended):
            raise Unauthorized("Send the access token as `Authorization: Bearer <token>`, or sign in on the page.")
        if scope["method"] not in _SAFE_METHODS:
            check_page(scope["scheme"], headers, self._origins)


async def is_signed_in(scope: Scope, gate: TokenGate, has_ended: HasEnded) -> bool:
    """Return whether a request carries the token or a session.

    Raises Unauthorized for a wrong token, and TooManyAttempts.
    """
    headers = Headers(scope=scope)
    token = _bearer(headers)
    if token:
        gate.check(token, client_address(scope))
        return True
    session = current_session(headers, gate)
    return session is not None and not await has_ended(session)


def current_session(headers: Headers, gate: TokenGate) -> Session | None:
    """Return the session in a request's cookie; None if it is missing or not valid."""
    # parsed as browsers do, because another application's cookie on this host can hold anything
    return Session.read(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""), gate.token)


def _bearer(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def check_host(headers: Headers, hosts: Collection[str]) -> None:
    """Raise Forbidden unless the request's host name is one of ``hosts`` (names without ports)."""
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
