"""Builds the uploader's ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from imagomortis.errors import Unavailable
from imagomortis.logs import Log
from imagomortis.picture.header import Limits
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.settings import Settings
from imagomortis.spool.opening import opened, uploads_of
from imagomortis.spool.spool import Spool
from imagomortis_http import access_log, problems
from imagomortis_http.callers.access import AccessMiddleware
from imagomortis_http.callers.client_address import ClientAddressMiddleware
from imagomortis_http.callers.cors import CorsMiddleware
from imagomortis_http.callers.token_gate import TokenGate
from imagomortis_http.limits.early_answers import LingerMiddleware
from imagomortis_http.observer import ObserverMiddleware
from imagomortis_http.security_headers import SecurityHeadersMiddleware
from upload_service import health, openapi
from upload_service.admission import Admission
from upload_service.form import route
from upload_service.inbox import Inbox
from upload_service.metrics import UploaderMetrics
from upload_service.store.intake import CHECKERS, Intake
from upload_service.tus import routes
from upload_service.tus.middleware import TusMiddleware
from upload_service.tus.routes import Verbs

log = Log(__name__)

RESTART_SECONDS: Final = 5.0
"""The pause before another try to start the decoders."""


def create_app(settings: Settings) -> FastAPI:
    """Return the uploader; its lifespan starts the decoders and watches the inbox.

    ``app.state.metrics`` are its UploaderMetrics. Raises ConfigurationError for a spool or an access that is not
    possible.
    """
    gate = TokenGate.of(settings.required_token)
    spool = opened(settings)
    spool.prepare()
    limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.max_side)
    uploads = uploads_of(spool, settings)
    pool = SandboxPool(CHECKERS, limits, settings.sandbox_memory_bytes, settings.check_seconds)
    intake = Intake(spool, pool, uploads, settings.export_prefixes)
    metrics = UploaderMetrics(spool)
    inbox = Inbox(intake, spool, metrics, settings.max_upload_bytes) if isinstance(spool, Spool) else None

    app = FastAPI(
        title="ImagoMortis uploader",
        version=version("imagomortis"),
        description=openapi.DESCRIPTION,
        lifespan=lambda _: _running(intake, inbox),
        docs_url=None,  # these pages load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.metrics = metrics
    admission = Admission(metrics)
    most, idle = settings.max_upload_bytes, settings.upload_idle_seconds
    app.include_router(route.router(intake, metrics, admission, most, idle))
    verbs = Verbs(intake, metrics, admission, uploads, max_bytes=most, idle_seconds=idle)
    app.include_router(routes.router(verbs, most))
    app.include_router(health.router(intake))
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]  # the way in FastAPI's manual
    problems.install(app)
    app.add_middleware(AccessMiddleware, gate=gate, hosts=settings.required_hosts, origins=settings.origins)
    app.add_middleware(TusMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(CorsMiddleware, origins=settings.origins)
    app.add_middleware(ObserverMiddleware, observers=[access_log.write])
    app.add_middleware(LingerMiddleware)
    app.add_middleware(ClientAddressMiddleware, header=settings.proxy_header, proxies=settings.proxies)
    return app


@asynccontextmanager
async def _running(intake: Intake, inbox: Inbox | None) -> AsyncIterator[None]:
    """Start the decoders and watch the inbox, if there is one, while the block runs; then end both."""
    tasks = [asyncio.create_task(_warm(intake))]
    if inbox:
        tasks.append(asyncio.create_task(inbox.watch()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await intake.close()


async def _warm(intake: Intake) -> None:
    """Start the decoders before the first picture comes."""
    while True:
        try:
            await intake.warm()
        except Unavailable as error:
            log.error("decoder does not start", error=error.detail)
            await asyncio.sleep(RESTART_SECONDS)
        else:
            return
