"""What Prometheus may know."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api_service.app import create_app
from imagomortis.catalog import Catalog
from imagomortis.settings import Settings
from tests.api_service.conftest import add


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    app = client.app
    assert isinstance(app, FastAPI)
    text = generate_latest(app.state.metrics.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_not_by_path(client: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    for path in (f"/images/{image}", f"/api/images/{image}", f"/images/{uuid4()}", "/nowhere", "/images/x"):
        client.get(path)
    found = samples(client)

    def count(route: str, status: str) -> float:
        return found["imagomortis_api_requests_total", (("method", "GET"), ("route", route), ("status", status))]

    assert count("/images/{image_id}", "200") == 2
    assert count("/images/{image_id}", "404") == 1
    assert count("other", "404") == 2
    assert found["imagomortis_api_request_seconds_count", (("route", "/images/{image_id}"),)] == 3


def test_it_tells_what_is_its_own_and_leaves_the_system_to_the_exporter(client: TestClient) -> None:
    found = samples(client)
    assert found["imagomortis_api_database_up", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 10_000_000
    assert {name for name, _ in found if name.startswith("imagomortis_") and "_api_" not in name} == set()


def test_without_the_database_that_is_known() -> None:
    client = TestClient(create_app(Settings(database_wait_seconds=0.5), "host=/nowhere"), base_url="http://localhost")
    assert samples(client)["imagomortis_api_database_up", ()] == 0
