"""The trash: deleted images that can be restored for days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import ALWAYS
from imagomortis.catalog.trash import Trash
from imagomortis.lifecycle import State
from imagomortis.settings import Settings
from tests.api_service.conftest import add, ids, process, strings
from tests.support.uploads import NOON

SECOND = timedelta(seconds=1)


@pytest.fixture
def trash(database: str) -> Iterator[TestClient]:
    """An API with a trash."""
    with TestClient(create_app(Settings(trash_days=30), database), base_url="http://localhost") as client:
        yield client


def trashed(client: TestClient, **conditions: object) -> list[UUID]:
    return ids(client.get("/images", params={"trash": True, **conditions}))


def purge(catalog: Catalog) -> int:
    return catalog.images.purge(undo_seconds=-60)


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/image/{}"), ("DELETE", "/images/{}"), ("POST", "/images/delete")]
)
def test_a_deleted_image_is_gone_for_every_client_and_stays_in_the_trash(
    trash: TestClient, catalog: Catalog, method: str, path: str
) -> None:
    image = add(catalog)
    process(catalog)
    body = {"ids": [str(image)]} if method == "POST" else None
    assert trash.request(method, path.format(image), json=body).is_success
    assert ids(trash.get("/images")) == []
    assert trash.get("/images/marks").json()["marks"] == []
    for address in (f"/images/{image}", f"/images/{image}/original", f"/images/{image}/info"):
        assert trash.get(address).status_code == 404
    assert trash.post("/images/zip", json={"ids": [str(image)]}).status_code == 404
    assert trash.delete(f"/images/{image}").status_code == 404
    assert trash.get("/stats").json()["images"]["total"] == 0
    assert purge(catalog) == 0
    assert trashed(trash) == [image]


def test_an_image_in_the_trash_is_restored_as_it_was(trash: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    process(catalog)
    catalog.images.mark_favourites([image], favourite=True)
    trash.delete(f"/images/{image}")
    assert trash.post("/images/restore", json={"ids": strings([image, uuid4()])}).json()["count"] == 1
    assert trashed(trash) == []
    assert trash.get(f"/images/{image}").content == b"processed"
    assert trash.get("/images").json()[0]["favourite"] is True


def test_a_queued_image_in_the_trash_is_not_processed_until_it_is_restored(trash: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    lease = catalog.queue.lease("run-1", 1, 60)
    assert lease
    trash.delete(f"/images/{image}")
    assert catalog.queue.renew(lease.token, [image], 60) == set()
    assert process(catalog) == []
    trash.post("/images/restore", json={"ids": [str(image)]})
    assert process(catalog) == [image]


def test_permanently_leaves_nothing_in_the_trash(trash: TestClient, catalog: Catalog) -> None:
    one, other, last = (add(catalog, created_at=NOON + n * SECOND) for n in range(3))
    assert trash.delete(f"/images/{one}", params={"permanently": True}).status_code == 204
    assert trashed(trash) == []
    trash.delete(f"/images/{other}")
    wanted = {"ids": strings([other, last]), "permanently": True}
    assert set(trash.post("/images/delete", json=wanted).json()["deleted"]) == {str(other), str(last)}
    assert trashed(trash) == []
    assert purge(catalog) == 3


def test_an_image_in_the_trash_is_deleted_permanently(trash: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    trash.delete(f"/images/{image}")
    assert trash.delete(f"/images/{image}", params={"permanently": True}).status_code == 204
    assert trash.post("/images/restore", json={"ids": [str(image)]}).json()["count"] == 1, (
        "it can be undone for a minute"
    )
    trash.delete(f"/images/{image}", params={"permanently": True})
    assert purge(catalog) == 1


def test_all_images_are_put_in_and_only_the_last_such_deletion_is_undone(
    trash: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("images", "trash"):
        monkeypatch.setattr(f"imagomortis.catalog.{module}.SLICE", 2)
    before = {add(catalog) for _ in range(3)}
    assert trash.delete("/all").status_code == 204
    alone = add(catalog)
    trash.delete(f"/images/{alone}")
    last = {add(catalog) for _ in range(5)}
    trash.delete("/all")
    assert set(trashed(trash)) == {*before, alone, *last}
    assert trash.post("/images/restore", json={"all": True}).json()["count"] == 5
    assert set(ids(trash.get("/images"))) == last
    assert set(trashed(trash)) == {*before, alone}


def test_all_images_are_deleted_permanently(trash: TestClient, catalog: Catalog) -> None:
    add(catalog)
    assert trash.delete("/all", params={"permanently": True}).status_code == 204
    assert trashed(trash) == []
    assert purge(catalog) == 1


def test_all_images_deleted_permanently_come_back_without_those_of_an_earlier_day(
    trash: TestClient, catalog: Catalog
) -> None:
    former = add(catalog)
    trash.delete("/all")
    last = add(catalog)
    trash.delete("/all", params={"permanently": True})
    assert trash.post("/images/restore", json={"all": True}).json()["count"] == 1
    assert (ids(trash.get("/images")), trashed(trash)) == ([last], [former])


def test_emptying_the_trash_spares_images_that_are_put_in_meanwhile(
    trash: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, late = add(catalog), add(catalog)
    trash.delete(f"/images/{former}")
    empty_some = Trash.empty_some

    def put_meanwhile(self: Trash, *args: Any, **kwargs: Any) -> int:
        trash.delete(f"/images/{late}")
        return empty_some(self, *args, **kwargs)

    monkeypatch.setattr(Trash, "empty_some", put_meanwhile)
    assert trash.delete("/trash").status_code == 204
    assert trashed(trash) == [late]


def test_an_image_that_a_server_without_a_trash_restored_is_not_counted(
    trash: TestClient, catalog: Catalog, database: str
) -> None:
    image = add(catalog)
    trash.delete(f"/images/{image}")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE images SET deleted_at = NULL")
    assert trash.get("/stats").json()["trash"]["images"] == 0
    assert catalog.trash.count(datetime.now(UTC) + timedelta(days=31)) == 0


def test_the_trash_is_emptied(trash: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagomortis.catalog.trash.SLICE", 2)
    images = [add(catalog) for _ in range(5)]
    kept = add(catalog)
    trash.post("/images/delete", json={"ids": strings(images)})
    assert trash.delete("/trash").status_code == 204
    assert (trashed(trash), ids(trash.get("/images"))) == ([], [kept])
    assert purge(catalog) == 5


def test_the_trash_is_listed_newest_upload_first_page_by_page_and_filtered(trash: TestClient, catalog: Catalog) -> None:
    images = [add(catalog, created_at=NOON - n * SECOND, filename=f"{'ab'[n % 2]}{n}.jpg") for n in range(25)]
    trash.post("/images/delete", json={"ids": strings(images)})
    add(catalog)
    found, url = list[UUID](), "/images?trash=true&limit=10"
    while url:
        answer = trash.get(url)
        found += ids(answer)
        url = "/images" + answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == images
    assert trashed(trash, name="b", limit=1000) == images[1::2]
    assert trashed(trash, state="done") == []
    marks = trash.get("/images/marks", params={"trash": True, "every": 10}).json()["marks"]
    assert [mark["count"] for mark in marks] == [10, 10, 5]
    assert trashed(trash, cursor=marks[2]["cursor"]) == images[20:]


def test_pictures_in_the_trash_have_links_of_their_own(trash: TestClient, catalog: Catalog) -> None:
    image = add(catalog, b"the original")
    process(catalog)
    for _ in range(2):
        assert trash.get(f"/trash/{image}/original").status_code == 404
        trash.delete(f"/images/{image}")
        [found] = trash.get("/images", params={"trash": True}).json()
        links = {name: trash.get(f"/{found['links'][name]}").content for name in ("picture", "original", "thumbnail")}
        assert links == {"picture": b"the original", "original": b"the original", "thumbnail": b"thumbnail"}
        assert (found["links"]["processed"], found["links"]["info"]) == (None, None)
        part = trash.get(f"/trash/{image}/original", headers={"Range": "bytes=4-"})
        assert (part.status_code, part.content) == (206, b"original")
        trash.post("/images/restore", json={"ids": [str(image)]})


def test_what_the_trash_holds_is_told(trash: TestClient, client: TestClient, catalog: Catalog) -> None:
    image = add(catalog, b"x" * 100)
    process(catalog)
    trash.delete(f"/images/{image}")
    held = 100 + len(b"processed") + len(b"thumbnail")
    assert trash.get("/stats").json()["trash"] == {"days": 30, "images": 1, "bytes": held}
    assert client.get("/stats").json()["trash"]["days"] == 0


def test_without_the_setting_deleted_images_are_purged(client: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    client.delete(f"/images/{image}")
    assert trashed(client) == []
    assert purge(catalog) == 1


def test_a_deleted_image_of_any_kind_is_told_to_watchers_as_deleted(trash: TestClient, catalog: Catalog) -> None:
    image = add(catalog)
    before = catalog.images.place().position
    trash.delete(f"/images/{image}")
    [found] = catalog.images.changes(before).images or []
    assert (found.id, found.deleted_at, found.state) == (image, ALWAYS[1], State.QUEUED)
