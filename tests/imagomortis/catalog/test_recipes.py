"""Recipes that people saved."""

from __future__ import annotations

import psycopg
import pytest

from imagomortis.catalog import Catalog

GREY = {"steps": [{"transform": "grayscale"}]}


def test_a_saved_recipe_is_found(catalog: Catalog) -> None:
    saved = catalog.recipes.save("grey", "Grau ü", "Ohne Farbe.", GREY, "1" * 64)
    assert (saved.name, saved.title, saved.description, saved.recipe, saved.digest) == (
        "grey",
        "Grau ü",
        "Ohne Farbe.",
        GREY,
        "1" * 64,
    )
    assert catalog.recipes.one("grey") == saved
    assert catalog.recipes.one("other") is None


def test_they_are_listed_by_name(catalog: Catalog) -> None:
    for name in ("b", "c", "a"):
        catalog.recipes.save(name, name, "", GREY, "1")
    assert [recipe.name for recipe in catalog.recipes.all()] == ["a", "b", "c"]


def test_saving_again_replaces_it(catalog: Catalog) -> None:
    first = catalog.recipes.save("grey", "Grey", "", GREY, "1")
    second = catalog.recipes.save("grey", "Greyer", "", {"steps": []}, "2")
    assert catalog.recipes.all() == [second]
    assert (second.created_at, second.updated_at > first.updated_at) == (first.created_at, True)


def test_it_can_be_deleted_once(catalog: Catalog) -> None:
    catalog.recipes.save("grey", "Grey", "", GREY, "1")
    assert [catalog.recipes.delete("grey") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a" * 65, "a b"])
def test_the_database_holds_the_rule_of_names(catalog: Catalog, name: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        catalog.recipes.save(name, "Title", "", GREY, "1")
