"""The short way to bytes gives the answers of the documented routes."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from tests.api_service.conftest import add, process

DATA = bytes(range(256)) * 4
TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'

LONG_WAY = "download=false"
"""A query that changes nothing but has to be checked, so that the request goes to the documented routes."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=10-19"},
        {"Range": "bytes=5000-"},
        {"Range": "bytes=0-1", "If-Range": '"other"'},
        {"If-None-Match": TAG},
        {"If-None-Match": '"other"'},
    ],
)
@pytest.mark.parametrize("end", ["", "/original", "/processed", "/thumbnail"])
def test_both_ways_answer_the_same(
    client: TestClient, catalog: Catalog, end: str, headers: dict[str, str], method: str
) -> None:
    path = f"/images/{add(catalog, DATA)}{end}"
    process(catalog, DATA, DATA)
    short, long = (client.request(method, path + query, headers=headers) for query in ("", f"?{LONG_WAY}"))
    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert sorted(short.headers.items()) == sorted(long.headers.items())


@pytest.mark.parametrize("end", ["", "/original", "/processed"])
def test_both_ways_say_the_same_of_what_is_not_there(client: TestClient, catalog: Catalog, end: str) -> None:
    path = f"/images/{add(catalog, DATA)}{end}"
    if end != "/processed":
        catalog.images.delete_all()
    short, long = client.get(path), client.get(f"{path}?{LONG_WAY}")
    assert (short.status_code, short.json()) == (long.status_code, long.json())
    assert short.status_code == 404


def test_other_methods_are_refused_as_everywhere(client: TestClient, catalog: Catalog) -> None:
    answer = client.put(f"/images/{add(catalog, DATA)}/original")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
