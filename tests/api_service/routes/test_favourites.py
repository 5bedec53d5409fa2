"""Favourites: images with a star."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from tests.api_service.conftest import add, process
from tests.support.uploads import NOON


@pytest.fixture
def images(catalog: Catalog) -> list[UUID]:
    """Return twenty-five images, newest first; every second one is a favourite."""
    added = [add(catalog, created_at=NOON - timedelta(minutes=minute)) for minute in range(25)]
    for image in added[::2]:
        assert catalog.images.mark_favourites([image], favourite=True)
    return added


def listed(client: TestClient, **conditions: object) -> list[UUID]:
    answer = client.get("/images", params={"favourites": True, **conditions})
    return [UUID(image["id"]) for image in answer.json()]


def test_a_star_is_set_and_taken_away(client: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    assert client.get(f"/images/{image}/info").json()["favourite"] is False
    for _ in range(2):
        assert client.put(f"/images/{image}/favourite").status_code == 204
        assert client.get(f"/images/{image}/info").json()["favourite"] is True
    assert [found["favourite"] for found in client.get("/images").json()] == [True]
    for _ in range(2):
        assert client.delete(f"/images/{image}/favourite").status_code == 204
        assert client.get(f"/images/{image}/info").json()["favourite"] is False
    assert listed(client) == []


def test_many_get_a_star_and_lose_it(client: TestClient, catalog: Catalog) -> None:
    wanted = [add(catalog) for _ in range(3)]
    add(catalog)
    ids = [str(image) for image in wanted]
    assert sorted(client.post("/images/favourites", json={"ids": [*ids, str(uuid4())]}).json()["marked"]) == sorted(ids)
    assert set(listed(client)) == set(wanted)
    assert client.post("/images/favourites", json={"ids": ids[:2], "favourite": False}).status_code == 200
    assert listed(client) == wanted[2:]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_image_that_is_not_here_has_no_star(client: TestClient, catalog: Catalog, method: str) -> None:
    gone = add(catalog)
    catalog.images.delete([gone])
    for image in (gone, uuid4()):
        assert client.request(method, f"/images/{image}/favourite").status_code == 404


def test_favourites_are_listed_newest_first_page_by_page(client: TestClient, images: list[UUID]) -> None:
    found: list[UUID] = []
    url = "/images?favourites=true&limit=5"
    while url:
        answer = client.get(url)
        found += [UUID(image["id"]) for image in answer.json()]
        url = "/images" + answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == images[::2]


def test_favourites_are_filtered_further(client: TestClient, catalog: Catalog, images: list[UUID]) -> None:
    assert listed(client, state="done") == []
    process(catalog)
    assert listed(client, state="done") == images[::2]
    assert listed(client, state="queued") == []
    assert listed(client, since=(NOON - timedelta(minutes=4)).isoformat()) == images[:5:2]
    assert listed(client, name="no such name") == []


def test_the_list_of_favourites_is_cut_into_pieces(client: TestClient, images: list[UUID]) -> None:
    marks = client.get("/images/marks", params={"favourites": True, "every": 10}).json()["marks"]
    assert [(mark["count"], mark["id"]) for mark in marks] == [(10, str(images[18])), (3, str(images[24]))]
    assert listed(client, cursor=marks[1]["cursor"]) == images[20::2]


def test_a_star_is_a_change(catalog: Catalog) -> None:
    image = add(catalog)
    before = catalog.images.place().position
    catalog.images.mark_favourites([image], favourite=True)
    changes = catalog.images.changes(before)
    assert [(found.id, found.favourite) for found in changes.images or []] == [(image, True)]


def test_a_deleted_favourite_is_hidden_and_comes_back_with_its_star(client: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    catalog.images.mark_favourites([image], favourite=True)
    catalog.images.delete([image])
    assert listed(client) == []
    catalog.images.restore([image])
    assert listed(client) == [image]
    catalog.images.delete([image])
    assert catalog.images.purge(undo_seconds=-1) == 1
    assert listed(client) == []
