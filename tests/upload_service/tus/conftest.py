"""An uploader within the test's process, and a client that speaks tus with it."""

from __future__ import annotations

import shutil

import pytest

from tests.upload_service.conftest import Service
from tests.upload_service.tus.speaker import Speaker


@pytest.fixture
def tus(service: Service) -> Speaker:
    """A client of an uploader that knows of no upload."""
    for folder in service.contents.spool.tus.iterdir():
        shutil.rmtree(folder)
    return Speaker(service.client)
