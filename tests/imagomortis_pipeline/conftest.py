"""Dagster's instance, and the resources of the definitions pointed at the test's own database and spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from imagomortis.spool.spool import Spool
from imagomortis_pipeline import resources


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture(autouse=True)
def _own_resources(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The definitions read the environment of the test, and forget it afterwards."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("IMAGOMORTIS_HOME", str(tmp_path))
    monkeypatch.setenv("IMAGOMORTIS_LINGER_SECONDS", "0")
    everything = (
        *(resources.settings, resources.catalog, resources.arrivals, resources.spool),
        *(resources.export_writer, resources.bucket_inboxes),
    )
    for made in everything:
        made.cache_clear()
    yield
    if resources.catalog.cache_info().currsize:
        resources.catalog().close()
    for made in everything:
        made.cache_clear()


@pytest.fixture
def spool(_own_resources: None) -> Spool:
    return resources.spool()
