"""Guards Dagster's webserver, which asks for no token and runs what it is told, against web pages of other sites.

Whoever can reach its port may use it. A browser on such a machine must not do so for a page from elsewhere: the guard
looks at ``Host``, ``Origin`` and ``Sec-Fetch-Site``, and takes GraphQL only in a form that no page can send unasked.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, QueryParams

from imagomortis.errors import ImagoMortisError
from imagomortis_http.callers.access import check_host
from imagomortis_http.callers.origin import check_page
from imagomortis_http.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

GRAPHQL: Final = "/graphql"

PROBED: Final = "/server_info"
"""Tells versions and nothing else; probes call it by the pod's address."""

_GRAPHQL_TYPES: Final = frozenset({"application/json", "application/graphql"})
_POLICY_VIOLATION: Final = 1008


class QueryByGet(ImagoMortisError):
    """A GraphQL query in an address, where any page could place it."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "query-by-get"
    title = "GraphQL goes by POST"


class QueryByForm(ImagoMortisError):
    """A GraphQL query in a form, as any page could send it."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "query-by-form"
    title = "GraphQL goes as JSON"


class WebserverGuard:
    """An ASGI middleware that lets nothing through that a page of another site asks for, but links."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """Take the application, and the host names by which it may be called."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        try:
            if scope["type"] in {"http", "websocket"} and scope["path"] != PROBED:
                self._check(scope, Headers(scope=scope))
        except ImagoMortisError as error:
            await _refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        check_host(headers, self._hosts)
        is_link = scope["type"] == "http" and scope["method"] == "GET" and _is_navigation(headers)
        if not is_link:
            check_page(scope["scheme"], headers)
        if scope["type"] == "http" and scope["path"] == GRAPHQL:
            _check_query(scope, headers)


def _is_navigation(headers: Headers) -> bool:
    """Whether a person follows a link in a tab, and not a page fills a frame or an element."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _check_query(scope: Scope, headers: Headers) -> None:
    if scope["method"] == "POST":
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _GRAPHQL_TYPES:
            raise QueryByForm("Send the query as JSON, with Content-Type: application/json.")
    elif "query" in QueryParams(scope["query_string"]):
        raise QueryByGet("Send the query by POST, as JSON.")


async def _refuse(error: ImagoMortisError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # before it was accepted: the browser gets a 403
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.detail[:120]})
        return
    response = problem_response(error)
    if isinstance(error, QueryByGet):
        response.headers["Allow"] = "POST"
    await response(scope, receive, send)
