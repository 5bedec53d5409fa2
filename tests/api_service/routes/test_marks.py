"""Marks: a long list in pieces."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from tests.api_service.conftest import add
from tests.support.uploads import NOON


def _add_minutes(catalog: Catalog, count: int) -> None:
    for minute in range(count):
        add(catalog, created_at=NOON + timedelta(minutes=minute))


def test_the_pieces_together_are_the_list(client: TestClient, catalog: Catalog) -> None:
    _add_minutes(catalog, 25)
    found = client.get("/images/marks", params={"every": 10}).json()
    assert [mark["count"] for mark in found["marks"]] == [10, 10, 5]
    assert found["next"] is None
    pieces = [
        client.get("/images", params={"limit": mark["count"]} | ({"cursor": mark["cursor"]} if mark["cursor"] else {}))
        for mark in found["marks"]
    ]
    assert [image["id"] for piece in pieces for image in piece.json()] == [
        image["id"] for image in client.get("/images").json()
    ]
    assert [piece.json()[-1]["id"] for piece in pieces] == [mark["id"] for mark in found["marks"]]


def test_a_piece_stays_where_it_is_when_images_come(client: TestClient, catalog: Catalog) -> None:
    _add_minutes(catalog, 20)
    second = client.get("/images/marks", params={"every": 10}).json()["marks"][1]
    before = client.get("/images", params={"cursor": second["cursor"]}).json()
    add(catalog, created_at=NOON + timedelta(hours=2))
    assert client.get("/images", params={"cursor": second["cursor"]}).json() == before


def test_marks_of_a_span_of_time(client: TestClient, catalog: Catalog) -> None:
    _add_minutes(catalog, 30)
    span = {"since": (NOON + timedelta(minutes=5)).isoformat(), "until": (NOON + timedelta(minutes=20)).isoformat()}
    found = client.get("/images/marks", params={"every": 10, **span}).json()["marks"]
    assert [mark["count"] for mark in found] == [10, 5]
    first = client.get("/images", params={"cursor": found[0]["cursor"], "limit": 1}).json()
    assert first[0]["created_at"] == (NOON + timedelta(minutes=19)).isoformat().replace("+00:00", "Z")


def test_marks_of_a_filter_and_of_nothing(client: TestClient, catalog: Catalog) -> None:
    _add_minutes(catalog, 12)
    assert client.get("/images/marks", params={"state": "failed"}).json() == {"marks": [], "next": None}
    assert client.get("/images/marks", params={"state": "queued"}).json()["marks"][0]["count"] == 12
    assert client.get("/images/marks", params={"name": "no such name"}).json()["marks"] == []


def test_a_list_beyond_what_is_looked_at_goes_on(
    client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.images.MOST_MARKED", 15)
    _add_minutes(catalog, 20)
    first = client.get("/images/marks", params={"every": 10}).json()
    assert [mark["count"] for mark in first["marks"]] == [10, 5]
    rest = client.get("/images/marks", params={"every": 10, "cursor": first["next"]}).json()
    assert [mark["count"] for mark in rest["marks"]] == [5]
    assert rest["next"] is None
    assert rest["marks"][0]["cursor"] == first["next"]
