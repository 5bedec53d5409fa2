"""Serves the page on port 30080 of one machine, with the API and the uploader on the same origin.

It stores nothing, and checks access only by the host name of its own pages. Requests below ``/api`` and ``/upload`` are
passed on unchanged, streaming both ways, and the services behind check them. Lists of the API are compressed on their
way.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from imagomortis.settings import Settings
from imagomortis_cli.machine import ports, shipped
from imagomortis_cli.machine.front_door.compression import CompressionMiddleware
from imagomortis_cli.machine.front_door.reverse_proxy import Upstream
from imagomortis_http import access_log, problems
from imagomortis_http.callers.access import AccessMiddleware
from imagomortis_http.callers.client_address import ClientAddressMiddleware
from imagomortis_http.limits.early_answers import LingerMiddleware
from imagomortis_http.observer import ObserverMiddleware
from imagomortis_http.serve import Service, serve

# WebAssembly is allowed because the page hashes files with it; this lets no text become a script
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()",
}

NOT_BUILT: Final = "The page has not been built: run `make up`, or `npm ci && npm run build` in the folder webui.\n"


class Pages(StaticFiles):
    """The built page. Files with a hash in their name are cached for ever; all others are checked on each request."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file, or the page itself for an address that only the page knows."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in path.rpartition("/")[2]:
                raise
            response = await super().get_response("index.html", scope)
        hashed = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        response.headers.update(SECURITY_HEADERS)
        return response


def create_app(settings: Settings, page: Path | None) -> Starlette:
    """Return the front door for the built ``page``, or one that says how to build it."""
    idle = settings.upload_idle_seconds * 1.25  # the uploader times out first, because its answer says more
    host = ports.reachable(settings.bind)
    api = CompressionMiddleware(Upstream("API", host, settings.api_port, idle))
    uploader = Upstream("uploader", host, settings.upload_port, idle)
    pages = (
        GZipMiddleware(Pages(directory=page, html=True)) if page else Response(NOT_BUILT, 503, media_type="text/plain")
    )

    routes = [
        Route("/healthz", _healthz),
        *(route for path, service in (("/api", api), ("/upload", uploader)) for route in _all_below(path, service)),
        Mount("/", ObserverMiddleware(AccessMiddleware(pages, None, settings.required_hosts), [access_log.write])),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(LingerMiddleware)
    problems.install(app)
    app.add_middleware(ClientAddressMiddleware, header=settings.proxy_header, proxies=settings.proxies)
    return app


def main() -> None:
    """Serve the front door as the environment says."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    serve("webui", create_service)


def create_service(settings: Settings) -> Service:
    """Return the front door, with the page if it is built."""
    return Service(
        create_app(settings, shipped.page()),
        "web_port",
        options={"proxy_headers": False, "timeout_graceful_shutdown": 2},
    )


def _all_below(path: str, service: ASGIApp) -> list[BaseRoute]:
    return [Route(path, service), Mount(path, service)]


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    main()
