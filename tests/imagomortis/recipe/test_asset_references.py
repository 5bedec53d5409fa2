"""References to assets in recipes, and in documents that are no recipes."""

from __future__ import annotations

from typing import Any

import pytest

from imagomortis.recipe.asset_references import references


def test_each_asset_of_steps_and_outputs_is_found_once() -> None:
    logo, frame = {"transform": "overlay", "asset": "logo"}, {"transform": "overlay", "asset": "frame"}
    assert references({"steps": [logo], "outputs": {"small": {"steps": [frame, logo]}, "large": {}}}) == [
        "logo",
        "frame",
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"steps": None},
        {"steps": [1, None, "asset"]},
        {"steps": [{"asset": ["logo"]}, {"asset": None}]},
        {"outputs": ["small"]},
        {"outputs": {"small": 3, "large": {"steps": 4}}},
    ],
)
def test_a_document_that_is_no_recipe_has_none(document: dict[str, Any]) -> None:
    assert references(document) == []
