"""Builds the API as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api_service import openapi
from api_service.dependencies import Service
from api_service.live.feed import Feed
from api_service.live.sign_outs import SignOuts
from api_service.live.statistics import Tally
from api_service.observability.metrics import Metrics
from api_service.observability.traces import record_span
from api_service.picture_bytes.fast_path import FastPathMiddleware
from api_service.picture_bytes.read_pool import ReadPool
from api_service.prefix import PrefixMiddleware
from api_service.routes import (
    assets,
    deletion,
    downloads,
    edits,
    events,
    health,
    images,
    pictures,
    processing,
    recipes,
    session,
    trash,
)
from imagomortis import storage, traces, version
from imagomortis.catalog import Catalog
from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.errors import ImagoMortisError, Unavailable
from imagomortis.logs import Log
from imagomortis.picture.header import Limits
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.settings import POSTGRES, Settings
from imagomortis.spool.spool import Spool
from imagomortis_http import access_log, problems
from imagomortis_http.callers.access import AccessMiddleware
from imagomortis_http.callers.client_address import ClientAddressMiddleware
from imagomortis_http.callers.cors import CorsMiddleware
from imagomortis_http.callers.token_gate import TokenGate
from imagomortis_http.limits.body_size import BodyLimitMiddleware
from imagomortis_http.limits.early_answers import LingerMiddleware
from imagomortis_http.observer import ObserverMiddleware
from imagomortis_http.security_headers import SecurityHeadersMiddleware

log = Log(__name__)

PREVIEW_SANDBOXES: Final = 2
PREVIEW_SECONDS: Final = 20.0
MOST_PREVIEWS: Final = 8
"""Most previews at once, queued ones included. Each occupies a thread of the pool that all endpoints share."""

READ_THREADS: Final = 4
"""Threads for short reads of pictures, beside the thread pool that all endpoints share."""

USAGE_SECONDS: Final = 3.0
"""How often the requests to the object store are added to the pipeline's figures."""

MOST_BODY_BYTES: Final = 1024 * 1024
"""Largest request body in bytes. Ten thousand ids need less than half of it; it is the limit of an asset, too."""

# a request is compared with the routes in order, so the busiest come first
_ROUTERS: Final = (
    images.router,
    pictures.router,
    downloads.router,
    edits.router,
    deletion.router,
    trash.router,
    events.router,
    recipes.router,
    assets.router,
    processing.router,
    session.router,
    health.router,
)


class MethodNotAllowed(ImagoMortisError):
    """A method that the address does not support."""

    status = 405
    slug = "method-not-allowed"
    title = "Not possible here"


def create_app(settings: Settings, conninfo: str) -> FastAPI:
    """Return the API for the catalog at ``conninfo``; ``app.state.service`` holds the services of its endpoints.

    Raises ConfigurationError if a token is needed and none is set. Postgres need not answer yet.
    """
    service = _service(settings, conninfo)
    app = FastAPI(
        title="ImagoMortis",
        summary="Pictures, processed by recipes",
        description="Lists, serves, edits and deletes pictures, and reports their progress.",
        version=version(),
        lifespan=_lifespan,
        # FastAPI's own pages load their scripts from other sites
        docs_url=None,
        redoc_url=None,
        # the project has its own metrics and traces; checking for FastAPI's costs time in every request
        telemetry={"tracing": False, "metrics": False, "logs": False},
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.state.metrics = Metrics(service.tally, service.feed)
    for router in _ROUTERS:
        app.include_router(router, responses=openapi.EVERYWHERE)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # the way in FastAPI's manual
    problems.install(app, RequestValidationError)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _on_method_not_allowed)
    app.add_middleware(FastPathMiddleware, service=service)
    app.add_middleware(BodyLimitMiddleware, most=MOST_BODY_BYTES, idle_seconds=settings.upload_idle_seconds)
    app.add_middleware(
        AccessMiddleware,
        gate=service.gate,
        hosts=settings.required_hosts,
        origins=settings.origins,
        has_ended=service.sign_outs.has_ended,
    )
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(CorsMiddleware, origins=settings.origins)
    app.add_middleware(PrefixMiddleware)
    observers = [access_log.write, app.state.metrics.observe, *([record_span] if traces.is_on() else [])]
    app.add_middleware(ObserverMiddleware, observers=observers)
    app.add_middleware(ClientAddressMiddleware, header=settings.proxy_header, proxies=settings.proxies)
    app.add_middleware(LingerMiddleware)
    return app


async def _on_method_not_allowed(request: Request, _: Exception) -> Response:
    """Name every method of the address; the framework names only those of one route."""
    routes = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    matching = [route for route in routes if route.path_regex.match(request.scope["path"])]
    path = min((route.path_format for route in matching), key=lambda path: path.count("{"))
    methods = sorted({method for route in matching if route.path_format == path for method in route.methods or ()})
    error = MethodNotAllowed(f"{request.method} is not possible here; there is {', '.join(methods)}.")
    answer = problems.problem_response(error)
    answer.headers["Allow"] = ", ".join(methods)
    return answer


def _service(settings: Settings, conninfo: str) -> Service:
    _ = settings.redirects  # raises an error if the storage signs no URLs
    in_loop = max(1, settings.database_connections * 2 // 5)  # connections for reads in the event loop itself
    wait_seconds = settings.database_wait_seconds
    catalog = Catalog(conninfo, settings.database_connections - in_loop, wait_seconds, storage.opened(settings))
    links = {"dagster": settings.dagster_url, "grafana": settings.grafana_url}
    limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.max_side)
    seconds = min(PREVIEW_SECONDS, settings.sandbox_seconds)
    loop_database = AsyncDatabase(conninfo, in_loop, wait_seconds)
    return Service(
        settings=settings,
        catalog=catalog,
        gate=TokenGate.of(settings.required_token),
        sign_outs=SignOuts(catalog.sessions, loop_database),
        tally=Tally(
            catalog,
            Spool(settings.spool_folder),
            {name: address for name, address in links.items() if address},
            settings.trash_days,
        ),
        feed=Feed(catalog, settings.max_event_streams),
        previews=SandboxPool(
            PREVIEW_SANDBOXES, limits, settings.sandbox_memory_bytes, seconds, most_borrowers=MOST_PREVIEWS
        ),
        read_pool=ReadPool(READ_THREADS),
        loop_database=loop_database,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.loop_database.open()
    service.feed.start()
    tasks = [asyncio.create_task(events.tell_stats(service.feed, service.tally))]
    if service.settings.storage != POSTGRES:
        tasks.append(asyncio.create_task(_note_storage_usage(service.catalog)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await service.loop_database.close()
        await run_in_threadpool(_close, service)


async def _note_storage_usage(catalog: Catalog) -> None:
    """Add the requests to the object store to the pipeline's figures, for ever, every few seconds."""
    while True:
        await asyncio.sleep(USAGE_SECONDS)
        with suppress(Unavailable):  # they are kept for the next time
            await run_in_threadpool(catalog.note_storage_usage)


def _close(service: Service) -> None:
    service.feed.close()
    service.read_pool.close()
    service.previews.close()
    service.catalog.close()
