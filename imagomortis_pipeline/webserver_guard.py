"""Guards Dagster's webserver against web pages of other sites.

The webserver asks for no token, so everybody who reaches its port may use it. A browser that reaches it must not do
so for a page of another site. The guard checks ``Host``, ``Origin`` and ``Sec-Fetch-Site``. It accepts GraphQL only
in a form that a page cannot send without asking first.
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
"""Returns only versions. Probes call it by the pod's address."""

_GRAPHQL_TYPES: Final = frozenset({"application/json", "application/graphql"})
_POLICY_VIOLATION: Final = 1008


class QueryByGet(ImagoMortisError):
    """A GraphQL query in a URL, which any page could open."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "query-by-get"
    title = "GraphQL goes by POST"


class QueryByForm(ImagoMortisError):
    """A GraphQL query in a form, which any page could send."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "query-by-form"
    title = "GraphQL goes as JSON"


class WebserverGuard:
    """An ASGI middleware that refuses requests of other sites' pages, except for links that a person follows."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """Take the application and the host names that requests may name."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or refuse it."""
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
    """Whether a person follows a link in a tab. Otherwise a page loads a frame or an element."""
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
        # the socket was not accepted yet, so the browser gets a 403
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.detail[:120]})
        return
    response = problem_response(error)
    if isinstance(error, QueryByGet):
        response.headers["Allow"] = "POST"
    await response(scope, receive, send)
