"""An uploader within the test's process, called without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from tests.upload_service.uploader import Contents
from upload_service.app import create_app


@dataclass(frozen=True)
class Service:
    """A running application, a client of it, and what lies in its spool."""

    app: FastAPI
    client: httpx.AsyncClient
    contents: Contents


Start = Callable[..., AbstractAsyncContextManager[Service]]


@asynccontextmanager
async def started(folder: Path, **given: object) -> AsyncIterator[Service]:
    """Run an application on a spool in ``folder``."""
    settings = Settings.read(**{"spool": folder, "disk_reserve_bytes": 0, **given})
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield Service(app, client, Contents(Spool(folder)))


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start an application with settings by their names."""
    return lambda **given: started(tmp_path / "spool", **given)


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """An application for a whole module; its files have at most 1 MiB and its pictures at most one megapixel."""
    folder = tmp_path_factory.mktemp("uploader") / "spool"
    async with started(folder, max_upload_bytes=2**20, max_pixels=1_000_000) as service:
        yield service


@pytest.fixture
def service(shared: Service) -> Service:
    """An application whose spool is empty when the test begins."""
    for folder in shared.contents.spool.scan(1000):
        shared.contents.spool.remove(folder)
    assert shared.contents.begun == []
    return shared
