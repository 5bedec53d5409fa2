"""The short way to bytes gives the answers of the documented routes."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from api_service.picture_bytes import fast_path
from api_service.picture_bytes.fast_path import SMALL
from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK
from imagomortis.settings import Settings
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


@pytest.mark.parametrize("end", ["", "/processed", "/thumbnail"])
def test_a_picture_that_was_small_is_sent_in_full_when_it_is_large(
    client: TestClient, catalog: Catalog, end: str
) -> None:
    image = add(catalog)
    process(catalog, b"small", b"small")
    assert [client.get(f"/images/{image}{end}").content for _ in range(2)] == [b"small"] * 2
    for large in (random.Random(size).randbytes(size) for size in (SMALL, SMALL + 1, 5 * CHUNK + 1)):
        catalog.images.retry([image])
        process(catalog, large, large)
        answer = client.get(f"/images/{image}{end}")
        assert (answer.content, answer.headers["content-length"]) == (large, str(len(large)))


def test_pictures_are_sent_when_more_are_small_than_it_remembers(
    client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_path, "MOST_KNOWN", 2)
    images = [add(catalog, bytes([number]) * 9) for number in range(5)] * 2
    assert [client.get(f"/images/{image}").content[0] for image in images] == [0, 1, 2, 3, 4] * 2


@pytest.mark.parametrize("end", ["", "/original", "/processed"])
def test_both_ways_say_the_same_of_what_is_not_there(client: TestClient, catalog: Catalog, end: str) -> None:
    path = f"/images/{add(catalog, DATA)}{end}"
    if end != "/processed":
        catalog.images.delete_all()
    short, long = client.get(path), client.get(f"{path}?{LONG_WAY}")
    assert (short.status_code, short.json()) == (long.status_code, long.json())
    assert short.status_code == 404


def test_two_connections_are_enough(database: str, catalog: Catalog) -> None:
    image = add(catalog, DATA)
    process(catalog, DATA, DATA)
    app = create_app(Settings(database_connections=2), database)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(8) as pool:
        paths = [f"/images/{image}{end}" for end in ("", "/original", "/thumbnail", "/info", "?download=true")] * 4
        assert [answer.status_code for answer in pool.map(client.get, paths)] == [200] * len(paths)


def test_other_methods_are_refused_as_everywhere(client: TestClient, catalog: Catalog) -> None:
    answer = client.put(f"/images/{add(catalog, DATA)}/original")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
