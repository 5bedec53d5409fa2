"""New recipes, previews, and another try."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import islice
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from api_service.app import MOST_PREVIEWS, PREVIEW_SANDBOXES
from imagomortis.catalog import Catalog
from imagomortis.lifecycle import State
from imagomortis.recipe.recipe import Recipe, builtin
from tests.api_service.conftest import add, api, fail, ids, process, strings
from tests.conftest import new_database
from tests.support.pictures import difference, opened, photo

WAITING = MOST_PREVIEWS - PREVIEW_SANDBOXES
"""Previews that may wait while every sandbox is at work."""

GREY = {"steps": [{"transform": "grayscale"}]}


@pytest.fixture(scope="module")
def large() -> bytes:
    return photo(1600, 1200)


class TestARecipeForOne:
    @pytest.mark.parametrize("wanted", ["web", GREY])
    def test_the_image_is_queued_with_it(self, client: TestClient, catalog: Catalog, wanted: object) -> None:
        image = add(catalog)
        process(catalog)
        answer = client.patch(f"/images/{image}", json={"recipe": wanted})
        chosen = Recipe.parse(wanted)  # type: ignore[arg-type]
        assert answer.status_code == 200
        info = answer.json()
        assert (info["state"], info["recipe"], info["recipe_digest"]) == ("queued", chosen.as_json(), chosen.digest)
        assert info["recipe_name"] == ("web" if wanted == "web" else None)

    def test_a_saved_recipe(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        client.put("/recipes/mine", json={"recipe": GREY}).raise_for_status()
        info = client.patch(f"/images/{image}", json={"recipe": "mine"}).json()
        assert (info["recipe_name"], info["recipe"]) == ("mine", Recipe.parse(GREY).as_json())

    def test_an_attempt_under_way_loses_its_result(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        lease = catalog.queue.lease("run", 1, 15)
        assert lease is not None
        client.patch(f"/images/{image}", json={"recipe": GREY}).raise_for_status()
        assert catalog.queue.renew(lease.token, [image], 15) == set()

    def test_a_failed_image_has_all_its_attempts_again(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        fail(catalog)
        info = client.patch(f"/images/{image}", json={"recipe": GREY}).json()
        assert (info["failed_attempts"], info["job"]["error"], len(info["attempts"])) == (0, None, 3)

    def test_an_image_that_is_not_there(self, client: TestClient) -> None:
        assert client.patch(f"/images/{uuid4()}", json={"recipe": "web"}).status_code == 404

    @pytest.mark.parametrize(
        "body",
        [
            {"recipe": "nothing-like-it"},
            {"recipe": {"steps": []}},
            {"recipe": {"steps": [{"transform": "explode"}]}},
            {"recipe": {"steps": [{"transform": "watermark", "text": "a\x00b"}]}},
            {"recipe": {"steps": [{"transform": "circles", "count": 10**40}]}},
            {"recipe": "UPPER"},
            {"recipe": None},
            {"recipe": "web", "more": 1},
            {},
            [],
            None,
        ],
    )
    def test_a_recipe_that_is_none(self, client: TestClient, catalog: Catalog, body: object) -> None:
        image = add(catalog)
        answer = client.patch(f"/images/{image}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

    def test_a_lone_surrogate(self, client: TestClient, catalog: Catalog) -> None:
        text = '{"recipe": {"steps": [{"transform": "watermark", "text": "\\ud800"}]}}'
        answer = client.patch(f"/images/{add(catalog)}", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422

    def test_a_body_too_large(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        for content in (b"x" * 2_000_000, iter([b"x" * 100_000] * 20)):
            answer = client.patch(f"/images/{image}", content=content)
            assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


class TestARecipeForMany:
    def test_former_recipes_are_returned_and_can_be_given_back(self, client: TestClient, catalog: Catalog) -> None:
        images = [add(catalog) for _ in range(3)]
        for image, recipe in zip(images, (GREY, "circles", "circles"), strict=True):
            client.patch(f"/images/{image}", json={"recipe": recipe}).raise_for_status()
        before = [client.get(f"/images/{image}/info").json()["recipe"] for image in images]
        answer = client.patch("/images", json={"ids": strings(images), "recipe": "web"}).json()
        assert sorted(len(each["ids"]) for each in answer["former"]) == [1, 2]
        for each in answer["former"]:
            client.patch("/images", json=each).raise_for_status()
        assert [client.get(f"/images/{image}/info").json()["recipe"] for image in images] == before

    def test_those_that_are_there_are_queued(self, client: TestClient, catalog: Catalog) -> None:
        images = [add(catalog), add(catalog)]
        process(catalog)
        answer = client.patch("/images", json={"ids": strings([*images, uuid4()]), "recipe": "web"})
        assert sorted(answer.json()["changed"]) == sorted(strings(images))
        assert catalog.images.counts()[State.QUEUED] == 2

    @pytest.mark.parametrize("ids", [[], ["x"], "x", None, [None]])
    def test_ids_that_are_none(self, client: TestClient, ids: object) -> None:
        assert client.patch("/images", json={"ids": ids, "recipe": "web"}).status_code == 422


class TestRetry:
    def test_one_image_is_queued_again(self, client: TestClient, catalog: Catalog) -> None:
        image = add(catalog)
        fail(catalog)
        assert client.post(f"/images/{image}/retry").json() == {"retried": 1}
        assert client.get(f"/images/{image}/info").json()["state"] == "queued"

    def test_one_that_waits_stays_where_it_is(self, client: TestClient, catalog: Catalog) -> None:
        assert client.post(f"/images/{add(catalog)}/retry").json() == {"retried": 0}

    def test_an_image_that_is_not_there(self, client: TestClient) -> None:
        assert client.post(f"/images/{uuid4()}/retry").status_code == 404

    def test_some_are_queued_again_and_those_that_wait_stay(self, client: TestClient, catalog: Catalog) -> None:
        ended = [add(catalog), add(catalog)]
        process(catalog)
        waiting = add(catalog)
        answer = client.post("/images/retry", json={"ids": [str(image) for image in (*ended, waiting, uuid4())]})
        assert answer.json() == {"retried": 2}

    def test_all_that_failed_and_no_others(self, client: TestClient, catalog: Catalog) -> None:
        done = add(catalog)
        process(catalog)
        add(catalog), add(catalog)
        fail(catalog)
        assert client.post("/retry").json() == {"retried": 2}
        assert client.post("/retry").json() == {"retried": 0}
        assert client.get(f"/images/{done}/info").json()["state"] == "done"


class TestPreview:
    """They share an API and its sandboxes, which take longer to start than a preview."""

    @pytest.fixture(scope="class")
    @classmethod
    def database(cls, postgres: str, template: str) -> Iterator[str]:
        with new_database(postgres, template) as url:
            yield url

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, database: str) -> Iterator[TestClient]:
        with api(database) as found:
            yield found

    def test_it_looks_like_the_result_and_stores_nothing(
        self, client: TestClient, catalog: Catalog, large: bytes
    ) -> None:
        image = add(catalog, large, width=1600, height=1200)
        answer = client.post(f"/images/{image}/preview", json={"recipe": GREY})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.size, Image.MIME[picture.format or ""]) == ((1024, 768), answer.headers["content-type"])
        red, green, blue = picture.convert("RGB").resize((8, 8)).split()
        assert list(red.tobytes()) == list(green.tobytes()) == list(blue.tobytes())
        assert client.get(f"/images/{image}/info").json()["renditions"] == []

    def test_a_target_that_is_not_allowed_does_not_matter(
        self, client: TestClient, catalog: Catalog, large: bytes
    ) -> None:
        image = add(catalog, large, width=1600, height=1200)
        recipe = {**GREY, "export": "s3://not-allowed/{stem}.{ext}"}
        assert client.patch(f"/images/{image}", json={"recipe": recipe}).status_code == 422
        assert client.post(f"/images/{image}/preview", json={"recipe": recipe}).status_code == 200

    def test_it_is_as_large_as_asked_for(self, client: TestClient, catalog: Catalog, large: bytes) -> None:
        image = add(catalog, large, width=1600, height=1200)
        for side, size in [(400, (400, 300)), (1400, (1400, 1050)), (4096, (1600, 1200))]:
            answer = client.post(f"/images/{image}/preview", json={"recipe": GREY, "longest_side": side})
            assert Image.open(io.BytesIO(answer.content)).size == size

    @pytest.mark.parametrize("side", [0, 4097, "all"])
    def test_a_size_that_is_not_allowed(self, client: TestClient, catalog: Catalog, large: bytes, side: object) -> None:
        image = add(catalog, large, width=1600, height=1200)
        answer = client.post(f"/images/{image}/preview", json={"recipe": GREY, "longest_side": side})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

    @pytest.mark.parametrize("name", list(builtin()))
    def test_every_built_in_recipe_has_one(self, client: TestClient, catalog: Catalog, large: bytes, name: str) -> None:
        image = add(catalog, large, width=1600, height=1200)
        answer = client.post(f"/images/{image}/preview", json={"recipe": name})
        assert max(Image.open(io.BytesIO(answer.content)).size) <= 1024

    def test_a_picture_that_cannot_be_decoded(self, client: TestClient, catalog: Catalog, large: bytes) -> None:
        image = add(catalog, large[:5000])
        answer = client.post(f"/images/{image}/preview", json={"recipe": GREY})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

    def test_a_step_that_cannot_be_done(self, client: TestClient, catalog: Catalog, large: bytes) -> None:
        image = add(catalog, large, width=1600, height=1200)
        recipe = {"steps": [{"transform": "resize", "width": "90000px", "height": "90000px", "fit": "exact"}]}
        answer = client.post(f"/images/{image}/preview", json={"recipe": recipe})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:imagomortis:preview-failed"

    def test_an_image_that_is_not_there(self, client: TestClient) -> None:
        assert client.post(f"/images/{uuid4()}/preview", json={"recipe": GREY}).status_code == 404

    def test_a_small_copy_of_a_picture_that_is_not_uploaded_shows_what_the_full_one_would(
        self, client: TestClient, catalog: Catalog, large: bytes
    ) -> None:
        recipe = {"steps": [{"transform": "circles"}, {"transform": "border", "width": "160px", "colour": "#ff0000"}]}
        image = add(catalog, large, width=1600, height=1200)
        full = client.post(f"/images/{image}/preview", json={"recipe": recipe, "longest_side": 480})
        file = io.BytesIO()
        Image.open(io.BytesIO(large)).resize((400, 300)).save(file, "PNG")
        body = {
            "recipe": recipe,
            "longest_side": 480,
            "picture": base64.b64encode(file.getvalue()).decode(),
            "scale": 0.25,
            "sha256": hashlib.sha256(large).hexdigest(),
        }
        there = ids(client.get("/images"))
        copy = client.post("/recipes/preview", json=body)
        assert copy.status_code == 200, copy.text
        assert copy.headers["cache-control"] == "no-store"
        assert Image.open(io.BytesIO(copy.content)).size == (480, 380)
        assert difference(opened(copy.content), opened(full.content)) < 4
        other = client.post("/recipes/preview", json={**body, "sha256": "0" * 64})
        assert difference(opened(other.content), opened(full.content)) > 8
        assert ids(client.get("/images")) == there

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"picture": "bm8gcGljdHVyZQ=="}, 415),
            ({"picture": "!"}, 422),
            ({"picture": ""}, 422),
            ({"scale": 0}, 422),
            ({"scale": 2}, 422),
        ],
    )
    def test_a_copy_that_is_no_picture_or_larger_than_the_full_one(
        self, client: TestClient, large: bytes, change: dict[str, object], status: int
    ) -> None:
        body = {"recipe": GREY, "picture": base64.b64encode(large).decode(), "scale": 1, **change}
        answer = client.post("/recipes/preview", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")

    @pytest.mark.slow
    def test_many_at_once_hold_up_nothing_else(self, client: TestClient, catalog: Catalog, large: bytes) -> None:
        image = add(catalog, large, width=1600, height=1200)
        app = client.app
        assert isinstance(app, FastAPI)
        pool = app.state.service.previews

        def preview(_: int) -> httpx.Response:
            return client.post(f"/images/{image}/preview", json={"recipe": GREY})

        with ThreadPoolExecutor(60) as threads:
            with ExitStack() as borrowed:
                for _ in range(PREVIEW_SANDBOXES):
                    borrowed.enter_context(pool.borrow())
                under_way = [threads.submit(preview, number) for number in range(60)]
                refused = [each.result() for each in islice(as_completed(under_way, 60), 60 - WAITING)]
                began = time.monotonic()
                assert client.get("/images").status_code == 200
                assert client.get("/readyz").status_code == 200
                assert time.monotonic() - began < 20
            statuses = Counter(each.result().status_code for each in under_way)
        assert statuses == {503: 60 - WAITING, 200: WAITING}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
