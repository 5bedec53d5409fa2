"""Lists and details of images."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from api_service import models
from api_service.app import create_app
from imagomortis.catalog import Catalog
from imagomortis.settings import Settings
from tests.api_service.conftest import add, fail, ids, process
from tests.support.uploads import NOON

SECOND = timedelta(seconds=1)


def many(catalog: Catalog, count: int) -> list[UUID]:
    """Add images a second apart; return their ids, newest first."""
    return [add(catalog, created_at=NOON + number * SECOND) for number in range(count)][::-1]


class TestTheContract:
    def test_an_image_that_waits(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, b"x" * 25_395, width=384, height=256)
        [found] = client.get("/images").json()
        assert found["thumbnail"] is None
        assert {key: found[key] for key in ("id", "created_at", "resolution", "size", "job")} == {
            "id": str(image),
            "created_at": f"{NOON:%Y-%m-%dT%H:%M:%S}Z",
            "resolution": "384x256",
            "size": "24.8 KB",
            "job": {
                "job_id": None,
                "progress": {},
                "completed": False,
                "completed_at": None,
                "failed": False,
                "failed_at": None,
                "error": None,
            },
        }

    def test_an_image_that_is_done(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog)
        process(catalog)
        [found] = client.get("/images").json()
        assert (found["job"]["job_id"], found["job"]["completed"], found["job"]["failed"]) == ("run-1", True, False)
        assert found["job"]["completed_at"] is not None
        assert found["state"] == "done"
        assert found["thumbnail"] == {"width": 4, "height": 3, "thumbhash": "AQID"}

    def test_an_image_that_failed(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog)
        fail(catalog)
        [found] = client.get("/images").json()
        assert (found["job"]["completed"], found["job"]["failed"]) == (False, True)
        assert found["job"]["failed_at"] is not None
        assert found["job"]["error"] == "It does not decode."

    def test_a_list_has_the_documented_fields_and_no_others(self, client: TestClient, catalog: Catalog) -> None:
        for state in (process, fail, lambda _: None):
            add(catalog, filename=f"{state}.jpg")
            state(catalog)
        answer = client.get("/images")
        documented = TypeAdapter(list[models.Image])
        found = documented.validate_json(answer.content)
        assert {image.state for image in found} == {"done", "failed", "queued"}
        assert documented.dump_python(found, mode="json") == answer.json()

    def test_progress_is_told_by_label(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        lease = catalog.queue.lease("run-7", 1, 15)
        assert lease is not None
        catalog.queue.report_progress(lease.token, image, {"circles": 40})
        [found] = client.get("/images").json()
        assert (found["job"]["job_id"], found["job"]["progress"]) == ("run-7", {"circles": 40})

    def test_the_newest_hundred_unless_told_otherwise(self, client: TestClient, catalog: Catalog) -> None:
        images = many(catalog, 103)
        assert ids(client.get("/images")) == images[:100]
        assert ids(client.get("/images", params={"limit": 1000})) == images
        assert ids(client.get("/images", params={"limit": 1})) == images[:1]

    @pytest.mark.parametrize("path", ["/images", "/api/images"])
    def test_at_the_root_and_below_api(self, client: TestClient, catalog: Catalog, path: str) -> None:
        assert ids(client.get(path)) == []
        image = add(catalog)
        assert ids(client.get(path)) == [image]

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1e9", "9" * 30])
    def test_a_limit_out_of_bounds(self, client: TestClient, limit: str) -> None:
        answer = client.get("/images", params={"limit": limit})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

    def test_links_lead_to_the_bytes(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog, b"the original")
        process(catalog)
        [found] = client.get("/images").json()
        answers = {name: client.get(f"/{link}").content for name, link in found["links"].items() if name != "info"}
        assert answers == {
            "picture": b"processed",
            "original": b"the original",
            "processed": b"processed",
            "thumbnail": b"thumbnail",
        }
        assert client.get(f"/{found['links']['info']}").json()["id"] == found["id"]

    def test_no_link_to_what_is_not_there(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog)
        [found] = client.get("/images").json()
        assert (found["links"]["processed"], found["links"]["thumbnail"]) == (None, None)


class TestPaging:
    def test_pages_hold_every_image_once(self, client: TestClient, catalog: Catalog) -> None:
        images = many(catalog, 25)
        found, address = [], "/images?limit=10"
        while address:
            answer = client.get(address)
            found += ids(answer)
            address = str(answer.url.join(answer.links["next"]["url"])) if "next" in answer.links else ""
        assert found == images

    def test_images_of_the_same_moment_are_not_lost_between_pages(self, client: TestClient, catalog: Catalog) -> None:
        images = {add(catalog, str(number).encode()) for number in range(7)}
        first = client.get("/images", params={"limit": 3})
        second = client.get(first.url.join(first.links["next"]["url"]))
        third = client.get(second.url.join(second.links["next"]["url"]))
        assert {*ids(first), *ids(second), *ids(third)} == images
        assert "next" not in third.links

    def test_the_last_page_has_no_next(self, client: TestClient, catalog: Catalog) -> None:
        many(catalog, 3)
        assert "next" not in client.get("/images", params={"limit": 3}).links

    def test_new_images_do_not_shift_the_pages(self, client: TestClient, catalog: Catalog) -> None:
        images = many(catalog, 4)
        first = client.get("/images", params={"limit": 2})
        add(catalog, created_at=NOON + 100 * SECOND)
        assert ids(client.get(first.url.join(first.links["next"]["url"]))) == images[2:]

    def test_the_next_page_keeps_the_filters(self, client: TestClient, catalog: Catalog) -> None:
        images = [add(catalog, created_at=NOON + n * SECOND, filename=f"{'ab'[n % 2]}.jpg") for n in range(6)][::-1]
        first = client.get("/images", params={"limit": 2, "name": "b.jpg", "state": ["queued", "done"]})
        assert ids(first) == images[0:4:2]
        assert ids(client.get(first.url.join(first.links["next"]["url"]))) == [images[4]]

    @pytest.mark.parametrize("cursor", ["x", "!!!!", "AAAA", "A" * 32, "é", "_" * 32, "\x00", "=" * 32])
    def test_a_foreign_cursor(self, client: TestClient, cursor: str) -> None:
        valid = {"A" * 32, "_" * 32}
        assert client.get("/images", params={"cursor": cursor}).status_code == (200 if cursor in valid else 422)


class TestFilters:
    def test_by_state(self, client: TestClient, catalog: Catalog) -> None:
        failed = add(catalog, created_at=NOON)
        fail(catalog)
        done = add(catalog, created_at=NOON + SECOND)
        process(catalog)
        queued = add(catalog, created_at=NOON + 2 * SECOND)
        for states, expected in {
            ("queued",): [queued],
            ("failed", "queued"): [queued, failed],
            ("done",): [done],
            ("done", "failed"): [done, failed],
            ("processing",): [],
        }.items():
            assert ids(client.get("/images", params={"state": list(states)})) == expected

    def test_by_name_whatever_the_case(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, filename="Hafen 100%_Süd.JPG")
        add(catalog, filename="harbour.jpg")
        for name in ("hafen", "100%_s", "SÜD", ".jpg"):
            assert image in ids(client.get("/images", params={"name": name}))
        assert ids(client.get("/images", params={"name": "100%_S"})) == [image]
        assert ids(client.get("/images", params={"name": "a%"})) == []
        assert ids(client.get("/images", params={"name": "\\"})) == []

    def test_by_recipe(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, recipe_name="web", recipe_digest="a" * 64)
        add(catalog)
        assert ids(client.get("/images", params={"recipe": "web"})) == [image]
        assert ids(client.get("/images", params={"recipe": "a" * 64})) == [image]

    def test_since(self, client: TestClient, catalog: Catalog) -> None:
        images = many(catalog, 3)
        assert ids(client.get("/images", params={"since": (NOON + SECOND).isoformat()})) == images[:2]

    @pytest.mark.parametrize(
        "params",
        [
            {"state": "lost"},
            {"since": "yesterday"},
            {"since": "0"},
            {"since": "2026-11-24T12:00:00"},
            {"name": "\x00"},
            {"recipe": "\x00"},
        ],
    )
    def test_wrong_parameters_are_refused(self, client: TestClient, params: dict[str, str]) -> None:
        assert client.get("/images", params=params).status_code == 422

    def test_a_rare_name_is_found_page_by_page(
        self, client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A filter looks at a bounded number of images at a time; following the links finds the rest."""
        monkeypatch.setattr("imagomortis.catalog.images.SCAN", 10)
        rare = add(catalog, created_at=NOON - SECOND, filename="rare.jpg")
        many(catalog, 25)
        answer = client.get("/images", params={"name": "rare"})
        looks = 1
        while not ids(answer):
            answer = client.get(answer.url.join(answer.links["next"]["url"]))
            looks += 1
        assert (ids(answer), looks) == ([rare], 3)
        assert "next" not in answer.links


class TestInfo:
    def test_attempts_have_their_causes(self, database: str, catalog: Catalog) -> None:
        image = add(catalog, recipe={"steps": [{"transform": "flip"}]})
        fail(catalog, times=1)
        process(catalog)
        settings = Settings(dagster_url="http://localhost:3000/")
        with TestClient(create_app(settings, database), base_url="http://localhost") as client:
            info = client.get(f"/images/{image}/info").json()
        first, second = info["attempts"]
        assert (first["outcome"], first["error"], first["error_kind"]) == (
            "failed",
            "It does not decode.",
            "decoder-crashed",
        )
        assert (second["outcome"], second["attempt"], second["error"]) == ("done", 2, None)
        assert info["run_url"] == second["run_url"] == "http://localhost:3000/runs/run-1"
        assert info["recipe"] == {"steps": [{"transform": "flip"}]}
        assert {each["kind"]: each["bytes"] for each in info["renditions"]} == {"processed": 9, "thumbnail": 9}

    def test_an_attempt_whose_run_has_expired_says_so_and_has_no_link(self, database: str, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog)
        catalog.retention.expire_runs(["run-1"])
        settings = Settings(dagster_url="http://localhost:3000/")
        with TestClient(create_app(settings, database), base_url="http://localhost") as client:
            info = client.get(f"/images/{image}/info").json()
        [attempt] = info["attempts"]
        assert (attempt["run_id"], attempt["run_expired"], attempt["run_url"]) == ("run-1", True, None)
        assert info["run_url"] is None

    def test_an_export_has_its_outcome(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog, recipe={"steps": [], "export": "s3://bucket/{stem}"})
        assert client.get(f"/images/{image}/info").json()["export"] is None
        process(catalog)
        [due] = catalog.exports.claim(1)
        catalog.exports.fail(due, "The store is away.")
        export = client.get(f"/images/{image}/info").json()["export"]
        assert (export["target"], export["urls"], export["exported_at"]) == ("s3://bucket/{stem}", [], None)
        assert (export["failed_attempts"], export["error"]) == (1, "The store is away.")
        assert export["next_try_at"].endswith("Z")

    def test_no_link_to_a_webserver_that_is_not_known(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog)
        assert client.get(f"/images/{image}/info").json()["run_url"] is None

    def test_an_image_that_is_not_there(self, client: TestClient) -> None:
        answer = client.get(f"/images/{uuid4()}/info")
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")

    @pytest.mark.parametrize("image", ["1", "x", "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7d", "{}", "%00"])
    def test_an_id_that_is_none(self, client: TestClient, image: str) -> None:
        assert client.get(f"/images/{image}/info").status_code == 404
        assert client.get(f"/images/{image}").status_code == 404
        assert client.delete(f"/image/{image}").status_code == 404
