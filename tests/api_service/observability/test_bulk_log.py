"""What the log says of images that were changed many at once."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api_service.observability import bulk_log
from imagomortis import logs
from imagomortis.catalog import Catalog
from tests.api_service.conftest import add, process, strings


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    records = [record for record in caplog.records if record.name == bulk_log.__name__]
    return [(record.getMessage(), getattr(record, logs.FIELDS)["images"]) for record in records]


def test_each_is_named(client: TestClient, catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    image = add(catalog)
    for method, path, more in (
        ("PATCH", "/images", {"recipe": "circles"}),
        ("POST", "/images/delete", {}),
        ("POST", "/images/restore", {}),
    ):
        assert client.request(method, path, json={"ids": strings([image]), **more}).status_code == 200
    process(catalog)
    assert client.post("/images/retry", json={"ids": strings([image])}).json() == {"retried": 1}
    assert lines(caplog) == [(event, [image]) for event in ("edited", "deleted", "restored", "retried")]


def test_a_line_stays_short(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(bulk_log, "A_LINE", 2)
    one, two, three = (uuid4() for _ in range(3))
    bulk_log.note("deleted", [one, two, three])
    assert lines(caplog) == [("deleted", [one, two]), ("deleted", [three])]
