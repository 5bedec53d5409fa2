"""Retention: old runs go with their events, the latest run of every hour with pictures stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from dagster import DagsterInstance

from imagomortis.catalog import Catalog
from imagomortis_cli.databases import for_dagster
from imagomortis_pipeline.assets import RENDITIONS, partition_of
from imagomortis_pipeline.retention import expire_runs
from imagomortis_pipeline.run_queue import WORKER_TAG
from tests.imagomortis_pipeline.test_image_task import add, run
from tests.uploads import NOON


@pytest.fixture
def instance(empty_database: str) -> Iterator[DagsterInstance]:
    """An instance on Postgres, as in earnest: SQLite counts its events otherwise."""
    storage = {"storage": {"postgres": {"postgres_url": for_dagster(empty_database)}}}
    with DagsterInstance.local_temp(overrides=storage) as found:
        yield found


def expire(instance: DagsterInstance, catalog: Catalog, days: float = 0) -> int:
    return expire_runs(instance, catalog, days, time.monotonic() + 20)


def test_an_old_run_goes_with_its_events(catalog: Catalog, instance: DagsterInstance) -> None:
    result = run(instance, **{WORKER_TAG: str(uuid4())})
    assert expire(instance, catalog) == 1
    assert instance.get_run_by_id(result.run_id) is None
    assert instance.all_logs(result.run_id) == []


def test_a_young_run_stays(catalog: Catalog, instance: DagsterInstance) -> None:
    run(instance, **{WORKER_TAG: str(uuid4())})
    assert expire(instance, catalog, days=1) == 0


def test_the_latest_run_of_an_hour_with_pictures_stays(catalog: Catalog, instance: DagsterInstance) -> None:
    add(catalog, 1)
    first, latest = run(instance), run(instance)
    assert expire(instance, catalog) == 1
    assert instance.get_run_by_id(first.run_id) is None
    assert instance.get_run_by_id(latest.run_id)
    assert instance.get_materialized_partitions(RENDITIONS) == {partition_of(NOON)}


def test_the_latest_run_of_an_hour_whose_pictures_are_gone_goes_too(
    catalog: Catalog, instance: DagsterInstance
) -> None:
    add(catalog, 1, NOON - timedelta(hours=3))
    run(instance, partition=partition_of(NOON - timedelta(hours=3)))
    catalog.images.delete_all()
    assert expire(instance, catalog) == 1


def test_many_runs_go_page_by_page(
    catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis_pipeline.retention.PAGE", 2)
    for _ in range(5):
        run(instance, **{WORKER_TAG: str(uuid4())})
    assert expire(instance, catalog) == 5
