"""Manages recipes: the built-in ones, the saved ones, and the transforms for them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api_service import models
from api_service.dependencies import Here, Service
from api_service.openapi import CONFLICT, NOT_FOUND
from api_service.presentation import utc
from imagomortis.catalog import Catalog
from imagomortis.catalog.recipes import SavedRecipe
from imagomortis.errors import Conflict, InvalidRecipe, NotFound
from imagomortis.recipe.recipe import DEFAULT, NamedRecipe, Recipe, builtin
from imagomortis.recipe.transforms import TRANSFORMS

router = APIRouter(tags=["recipes"])

RecipeName = Annotated[
    str, Path(pattern=models.RECIPE_NAME, description="the recipe's name", examples=["circles", "my-recipe"])
]


@dataclass(frozen=True)
class Choice:
    """A complete recipe, and its name if it has one."""

    recipe: Recipe
    name: str | None


def choose(catalog: Catalog, wanted: str | dict[str, Any]) -> Choice:
    """Return the recipe for ``wanted``: the name of a built-in or saved one, or JSON; raise InvalidRecipe.

    Its assets have their digests.
    """
    if isinstance(wanted, dict):
        return Choice(catalog.assets.fixed(Recipe.parse(wanted)), None)
    if wanted in builtin():
        return Choice(builtin()[wanted].recipe, wanted)
    saved = catalog.recipes.one(wanted)
    if saved is None:
        known = ", ".join([*builtin(), *(recipe.name for recipe in catalog.recipes.all())])
        raise InvalidRecipe(f"There is no recipe {wanted!r}. There are {known}.")
    return Choice(Recipe.parse(saved.recipe), wanted)


def choose_allowed(service: Service, wanted: str | dict[str, Any]) -> Choice:
    """Do the same as ``choose``; raise InvalidRecipe also if the operator does not allow the recipe's export."""
    chosen = choose(service.catalog, wanted)
    chosen.recipe.check_export(service.settings.export_prefixes)
    return chosen


@router.get("/recipes")
def list_recipes(service: Here) -> list[models.RecipeInfo]:
    """Return the built-in recipes, the default first, and then the saved ones."""
    saved = [_saved(recipe) for recipe in service.catalog.recipes.all()]
    return [*(_builtin(recipe) for recipe in builtin().values()), *saved]


@router.post("/recipes/validate")
def validate(service: Here, edit: models.Edit) -> models.CheckedRecipe:
    """Return a recipe complete with its defaults, or say what is wrong with it."""
    recipe = choose_allowed(service, edit.recipe).recipe
    return models.CheckedRecipe(recipe=recipe.as_json(), digest=recipe.digest, labels=list(recipe.labels))


@router.get("/recipes/{name}", responses=NOT_FOUND)
def one_recipe(service: Here, name: RecipeName) -> models.RecipeInfo:
    """Return a recipe."""
    if name in builtin():
        return _builtin(builtin()[name])
    saved = service.catalog.recipes.one(name)
    if saved is None:
        raise _missing(name)
    return _saved(saved)


@router.put("/recipes/{name}", responses=CONFLICT)
def save_recipe(service: Here, name: RecipeName, draft: models.RecipeDraft) -> models.RecipeInfo:
    """Save a recipe, or replace a saved one of that name. Images keep the former recipe."""
    _refuse_builtin(name)
    recipe = choose_allowed(service, draft.recipe).recipe
    title = draft.title or name
    return _saved(service.catalog.recipes.save(name, title, draft.description, recipe.as_json(), recipe.digest))


@router.delete("/recipes/{name}", status_code=HTTPStatus.NO_CONTENT, responses={**NOT_FOUND, **CONFLICT})
def delete_recipe(service: Here, name: RecipeName) -> Response:
    """Delete a saved recipe. Images that use it keep it."""
    _refuse_builtin(name)
    if not service.catalog.recipes.delete(name):
        raise _missing(name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/transforms")
async def list_transforms() -> list[models.TransformInfo]:
    """Return the transforms that a recipe is made of, each with the JSON Schema of its parameters."""
    return [
        models.TransformInfo(
            name=name,
            title=transform.model_config.get("title") or name.replace("_", " ").capitalize(),
            description=inspect.cleandoc(transform.__doc__ or ""),
            parameters=transform.model_json_schema(),
        )
        for name, transform in TRANSFORMS.items()
    ]


def _refuse_builtin(name: str) -> None:
    if name in builtin():
        raise Conflict(f"The recipe {name!r} is built in and stays as it is. Choose another name.")


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no recipe {name!r}. GET /recipes lists those that there are.")


def _builtin(recipe: NamedRecipe) -> models.RecipeInfo:
    return models.RecipeInfo(
        name=recipe.name,
        title=recipe.title,
        description=recipe.description,
        recipe=recipe.recipe.as_json(),
        digest=recipe.recipe.digest,
        is_builtin=True,
        is_default=recipe.name == DEFAULT,
        created_at=None,
        updated_at=None,
    )


def _saved(recipe: SavedRecipe) -> models.RecipeInfo:
    return models.RecipeInfo(
        name=recipe.name,
        title=recipe.title,
        description=recipe.description,
        recipe=dict(recipe.recipe),
        digest=recipe.digest,
        is_builtin=False,
        is_default=False,
        created_at=utc(recipe.created_at),
        updated_at=utc(recipe.updated_at),
    )
