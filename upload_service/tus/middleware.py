"""Applies the tus protocol's rules for all requests and answers."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upload_service.tus.protocol import PATH, VERSION


class TusMiddleware:
    """An ASGI middleware that lets a header override the method, and adds the version to each answer.

    It runs before the access check, so that this checks the overridden method.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not (scope["path"] + "/").startswith(f"{PATH}/"):
            await self._app(scope, receive, send)
            return

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = VERSION
                if message["status"] == HTTPStatus.PRECONDITION_FAILED:
                    headers["Tus-Version"] = VERSION
            await send(message)

        method = Headers(scope=scope).get("x-http-method-override", scope["method"])
        await self._app({**scope, "method": method.strip().upper()}, receive, send_with_version)
