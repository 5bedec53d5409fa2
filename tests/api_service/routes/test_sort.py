"""Lists by name and by size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.resources import files
from uuid import UUID

import psycopg
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api_service.routes.images import decode_position, encode_position
from imagomortis.catalog import Catalog
from imagomortis.catalog.ordered import Position
from tests.api_service.conftest import add, ids, process
from tests.support.uploads import NOON
from tests.support.waiting import wait_until

NAMES = [
    "a.jpg",
    "IMG_2.jpg",
    "img_10.jpg",
    "img_0011.jpg",
    "img_12b.jpg",
    "img_99999999999999999999.jpg",
    "Zürich.jpg",
    "ärger.jpg",
]
"""In their order."""


def listed(client: TestClient, limit: int = 3, **conditions: object) -> list[UUID]:
    """Return a list, page by page."""
    found: list[UUID] = []
    answer = client.get("/images", params={"limit": limit, **conditions})
    while True:
        found += ids(answer)
        if "next" not in answer.links:
            return found
        answer = client.get(answer.url.join(answer.links["next"]["url"]))


@pytest.fixture
def named(catalog: Catalog) -> list[UUID]:
    """Return images in the order of their names; they came in another one."""
    added = {name: add(catalog, filename=name) for name in sorted(NAMES, key=lambda name: name[::-1])}
    return [added[name] for name in NAMES]


def test_numbers_in_names_are_compared_as_numbers(client: TestClient, named: list[UUID]) -> None:
    assert listed(client, sort="name") == named
    assert listed(client, sort="-name") == named[::-1]


def test_by_size(client: TestClient, catalog: Catalog) -> None:
    images = {size: add(catalog, b"x" * size) for size in (9, 100, 1, 50, 12_000)}
    alike = sorted(add(catalog, b"x" * 50) for _ in range(2))
    found = listed(client, sort="size")
    assert [each for each in found if each not in alike] == [images[size] for size in sorted(images)]
    assert set(found[2:5]) == {images[50], *alike}
    assert listed(client, sort="-size") == found[::-1]


def test_images_of_the_same_name_are_not_lost_between_pages(client: TestClient, catalog: Catalog) -> None:
    images = {add(catalog, filename="same.jpg") for _ in range(7)}
    found = listed(client, sort="name")
    assert (len(found), set(found)) == (7, images)
    assert found == sorted(found)


def test_filters_hold_in_every_order(client: TestClient, catalog: Catalog) -> None:
    images = [add(catalog, created_at=NOON + timedelta(seconds=n), filename=f"{9 - n}.jpg") for n in range(8)]
    process(catalog)
    queued = add(catalog, filename="5.png")
    catalog.images.mark_favourites([images[3]], favourite=True)
    catalog.images.delete([images[0]])
    catalog.trash.put([images[1]], timedelta(days=30))
    at = (NOON + timedelta(seconds=5)).isoformat()
    for conditions, expected in {
        (("state", "queued"),): [queued],
        (("name", "5."),): [queued, images[4]],
        (("favourites", True),): [images[3]],
        (("trash", True),): [images[1]],
        (("since", at),): images[5:][::-1],
        (("until", at), ("state", "done")): images[2:5][::-1],
    }.items():
        found = listed(client, sort="name", **dict(conditions))
        assert sorted(found) == sorted(expected)
        assert listed(client, sort="-name", **dict(conditions)) == found[::-1]


def test_the_newest_come_first_up_to_a_moment(client: TestClient, catalog: Catalog) -> None:
    images = [add(catalog, created_at=NOON - timedelta(seconds=n)) for n in range(5)]
    assert listed(client, limit=2, until=(NOON - timedelta(seconds=1)).isoformat()) == images[2:]


@pytest.mark.parametrize("sort", ["-name", "-size"])
def test_a_list_is_cut_into_pieces(
    client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr("imagomortis.catalog.ordered.MOST_MARKED", 20)
    monkeypatch.setattr("api_service.routes.images.MOST_MARKED", 20)
    images = [add(catalog, b"x" * (n + 1), filename=f"{n}.jpg") for n in range(25)][::-1]
    first = client.get("/images/marks", params={"sort": sort, "every": 10}).json()
    rest = client.get("/images/marks", params={"sort": sort, "every": 10, "cursor": first["next"]}).json()
    marks = [*first["marks"], *rest["marks"]]
    assert ([mark["count"] for mark in marks], rest["next"]) == ([10, 10, 5], None)
    pieces = [
        client.get(
            "/images",
            params={"sort": sort, "limit": mark["count"], **({"cursor": mark["cursor"]} if mark["cursor"] else {})},
        )
        for mark in marks
    ]
    assert [image for piece in pieces for image in ids(piece)] == images
    assert [piece.json()[-1]["sort_key"] for piece in pieces] == [mark["sort_key"] for mark in marks]


@pytest.mark.parametrize("sort", ["", "date", "--name", "-", "name,size"])
def test_an_unknown_order_is_refused(client: TestClient, sort: str) -> None:
    assert client.get("/images", params={"sort": sort}).status_code == 422


@pytest.mark.parametrize("cursor", ["A" * 32, "_" * 32, "A" * 36, "_" * 64])
@pytest.mark.parametrize("sort", [None, "name", "-size"])
def test_a_forged_cursor_is_some_place_in_the_list(client: TestClient, cursor: str, sort: str | None) -> None:
    params = {"cursor": cursor, **({"sort": sort} if sort else {})}
    assert client.get("/images", params=params).status_code == 200


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=255), st.uuids())
def test_a_position_comes_back_from_its_cursor(key: str, image: UUID) -> None:
    assert decode_position(encode_position(Position(key, image))) == Position(key, image)


def test_images_of_before_get_their_places(
    database: str, catalog: Catalog, client: TestClient, named: list[UUID]
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM image_order")
        step = files("imagomortis.catalog.migrations") / "0024_order_of_former_images.sql"
        connection.execute(step.read_bytes())
    assert listed(client, sort="name") == named


def test_an_image_that_is_purged_meanwhile_gets_no_place(
    database: str, catalog: Catalog, client: TestClient, named: list[UUID]
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM image_order")
    step = files("imagomortis.catalog.migrations") / "0024_order_of_former_images.sql"
    with (
        psycopg.connect(database) as purging,
        psycopg.connect(database) as migrating,
        ThreadPoolExecutor() as threads,
    ):
        purging.execute("DELETE FROM images WHERE id = %s", [named[0]])
        migrated = threads.submit(migrating.execute, step.read_bytes())
        wait_until(lambda: _waits(database, migrating.info.backend_pid))
        purging.commit()
        migrated.result()
    assert listed(client, sort="name") == named[1:]


def _waits(database: str, pid: int) -> bool:
    with psycopg.connect(database) as connection:
        [blockers] = connection.execute("SELECT pg_blocking_pids(%s)", [pid]).fetchall()[0]
    return bool(blockers)


def test_a_lease_and_a_save_write_no_place(catalog: Catalog, database: str) -> None:
    add(catalog)
    with psycopg.connect(database, autocommit=True) as connection:
        before = connection.execute("SELECT ctid, xmin FROM image_order ORDER BY sort").fetchall()
        process(catalog)
        assert connection.execute("SELECT ctid, xmin FROM image_order ORDER BY sort").fetchall() == before
