"""Recipes: built in, saved, checked; and the transforms."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.recipe.recipe import DEFAULT, Recipe, builtin
from imagomortis.recipe.transforms import TRANSFORMS
from imagomortis.settings import Settings

GREY = {"steps": [{"transform": "grayscale"}]}


def test_the_built_in_recipes_come_first_and_the_default_before_them(client: TestClient) -> None:
    client.put("/recipes/a-first-name", json={"recipe": GREY}).raise_for_status()
    found = client.get("/recipes").json()
    assert [recipe["name"] for recipe in found] == [*builtin(), "a-first-name"]
    assert [recipe["name"] for recipe in found if recipe["is_default"]] == [DEFAULT]
    assert [recipe["is_builtin"] for recipe in found] == [True] * len(builtin()) + [False]


def test_a_saved_recipe_is_found_by_its_name(client: TestClient) -> None:
    body = {"title": "Grau ü", "description": "Ohne Farbe.", "recipe": GREY}
    saved = client.put("/recipes/grey", json=body).json()
    assert (saved["title"], saved["description"]) == ("Grau ü", "Ohne Farbe.")
    assert (saved["recipe"], saved["digest"]) == (Recipe.parse(GREY).as_json(), Recipe.parse(GREY).digest)
    assert client.get("/api/recipes/grey").json() == saved


def test_saving_again_replaces_it(client: TestClient) -> None:
    first = client.put("/recipes/grey", json={"recipe": GREY}).json()
    second = client.put("/recipes/grey", json={"recipe": "web", "title": "Other"}).json()
    assert (second["digest"], second["title"]) == (builtin()["web"].recipe.digest, "Other")
    assert (second["created_at"], len(client.get("/recipes").json())) == (first["created_at"], len(builtin()) + 1)


def test_a_recipe_may_export_only_where_the_operator_allows_it(database: str) -> None:
    allowed, foreign = ({**GREY, "export": f"s3://bucket/{folder}/{{stem}}.{{ext}}"} for folder in ("exports", "other"))
    app = create_app(Settings(export_targets="s3://bucket/exports/"), database)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.put("/recipes/allowed", json={"recipe": allowed}).json()["recipe"]["export"] == allowed["export"]
        for answer in (
            client.put("/recipes/foreign", json={"recipe": foreign}),
            client.post("/recipes/validate", json={"recipe": foreign}),
            client.patch(f"/images/{uuid4()}", json={"recipe": foreign}),
            client.patch("/images", json={"ids": [str(uuid4())], "recipe": foreign}),
        ):
            assert answer.status_code == 422
            assert "Allowed are URLs below s3://bucket/exports/" in answer.json()["detail"]


def test_a_recipe_can_be_deleted_once(client: TestClient) -> None:
    client.put("/recipes/grey", json={"recipe": GREY})
    assert [client.delete("/recipes/grey").status_code for _ in range(2)] == [204, 404]
    assert client.get("/recipes/grey").status_code == 404


@pytest.mark.parametrize("name", list(builtin()))
def test_a_built_in_recipe_stays_as_it_is(client: TestClient, name: str) -> None:
    assert client.get(f"/recipes/{name}").json()["recipe"] == builtin()[name].recipe.as_json()
    assert client.put(f"/recipes/{name}", json={"recipe": GREY}).status_code == 409
    assert client.delete(f"/recipes/{name}").status_code == 409


@pytest.mark.parametrize("name", ["UPPER", "-a", "a" * 65, "a.b", "%00", "ü"])
def test_a_name_that_is_none(client: TestClient, name: str) -> None:
    assert client.put(f"/recipes/{name}", json={"recipe": GREY}).status_code == 422


@pytest.mark.parametrize("field", [{"title": "\x00"}, {"description": "\x00"}, {"title": ""}, {"title": "a" * 201}])
def test_words_that_cannot_be_stored(client: TestClient, field: dict[str, str]) -> None:
    assert client.put("/recipes/grey", json={"recipe": GREY, **field}).status_code == 422


def test_a_valid_recipe_comes_back_complete(client: TestClient) -> None:
    recipe = {"steps": [{"transform": "blur"}, {"transform": "blur"}]}
    checked = client.post("/recipes/validate", json={"recipe": recipe}).json()
    assert checked == {
        "recipe": Recipe.parse(recipe).as_json(),
        "digest": Recipe.parse(recipe).digest,
        "labels": ["blur", "blur#2"],
    }


def test_a_wrong_recipe_is_refused_with_its_reason(client: TestClient) -> None:
    answer = client.post("/recipes/validate", json={"recipe": {"steps": [{"transform": "blurr"}]}})
    assert answer.status_code == 422
    assert "blur" in answer.json()["detail"]


def test_an_unknown_name_is_answered_with_the_known_ones(client: TestClient) -> None:
    client.put("/recipes/mine", json={"recipe": GREY})
    detail = client.post("/recipes/validate", json={"recipe": "nobody"}).json()["detail"]
    assert "circles" in detail
    assert "mine" in detail


def test_every_transform_has_a_schema(client: TestClient) -> None:
    found = {each["name"]: each for each in client.get("/transforms").json()}
    assert list(found) == list(TRANSFORMS)
    for name, each in found.items():
        assert each["description"]
        assert each["parameters"]["properties"]["transform"]["const"] == name
