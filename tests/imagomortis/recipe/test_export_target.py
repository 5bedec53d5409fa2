"""Export targets: what they may be, and the names that they give."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagomortis.errors import InvalidRecipe
from imagomortis.recipe.export_target import filled_in, prefix_of
from imagomortis.recipe.recipe import Recipe

IMAGE = UUID("01234567-89ab-cdef-0123-456789abcdef")
LATE = datetime(2026, 11, 30, 23, 30, tzinfo=timezone(-timedelta(hours=1)))
GREY = {"steps": [{"transform": "grayscale"}]}
TWO = {**GREY, "outputs": {"large": {}, "small": {}}}


def exported(filename: str = "harbour.png", target: str = "s3://bucket/{stem}-{output}.{ext}") -> str:
    return filled_in(
        target, image_id=IMAGE, filename=filename, created_at=LATE, output="small", media_type="image/jpeg"
    )


def test_a_recipe_without_a_target_keeps_its_digest() -> None:
    assert "export" not in Recipe.parse(GREY).as_json()


@pytest.mark.parametrize(
    "target",
    [
        "s3://bucket/prefix/{stem}-{output}.{ext}",
        "gs://bucket/{id}.{ext}",
        "az://container/a/b/{date}/{stem}.{ext}",
        "file:///srv/pictures/{stem}.{ext}",
        f"s3://bucket/{{stem}}{'a' * 95}.{{ext}}",
    ],
)
def test_a_target_is_part_of_the_recipe(target: str) -> None:
    recipe = Recipe.parse({**GREY, "export": target})
    assert recipe.export == target
    assert Recipe.parse(recipe.as_json()).digest == recipe.digest != Recipe.parse(GREY).digest


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/srv/{stem}", "is a URL such as s3://"),
        ("https://host/{stem}", "is a URL such as s3://"),
        ("file://host/srv/{stem}", "is a URL such as s3://"),
        ("s3://{stem}/picture", "is a URL such as s3://"),
        ("s3://bucket", "is a URL such as s3://"),
        ("s3://bucket/{stem}?acl", "is a URL such as s3://"),
        ("s3://bucket/%2e%2e/{stem}", "is a URL such as s3://"),
        ("s3://buc?ket/{stem}", "is a URL such as s3://"),
        ("s3://key@bucket/{stem}", "is a URL such as s3://"),
        ("s3://bucket/../{stem}", "a part called . or .."),
        ("s3://bucket/a//{stem}", "an empty part"),
        ("s3://bucket/{stem}/", "an empty part"),
        ("s3://bucket/{name}", "no placeholder {name}; there are {id}, {stem}, {output}, {ext}, {date}"),
        ("s3://bucket/{stem.__class__}", "no placeholder {stem.__class__}"),
        ("s3://bucket/{stem", "belongs to no placeholder"),
        ("s3://bucket/{{stem}}", "belongs to no placeholder"),
        ("s3://bucket/{output}.{ext}", "needs {id} or {stem}"),
        ("s3://bucket/{stem}", "ends in .{ext}"),
        ("s3://bucket/{stem}.php", "ends in .{ext}"),
        ("s3://bucket/{ext}/{id}.{stem}", "ends in .{ext}"),
        ("s3://bucket/{stem}/{stem}", "each placeholder once"),
        (f"s3://bucket/{{stem}}{'a' * 500}", "at most 500 characters"),
        (f"s3://bucket/{{stem}}{'a' * 101}", "each of its parts 250"),
        (f"s3://bucket/{'a' * 251}/{{id}}", "each of its parts 250"),
        (f"s3://bucket/{'ä' * 120}/{'ä' * 120}/{'ä' * 120}/{'ä' * 80}/{{stem}}", "at most 1024 bytes"),
    ],
)
def test_a_wrong_target_is_explained(target: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as raised:
        Recipe.parse({**GREY, "export": target})
    assert said in raised.value.detail
    assert "export" in raised.value.detail


def test_several_outputs_need_several_names() -> None:
    with pytest.raises(InvalidRecipe, match=r"needs \{output\}, because the recipe has several outputs"):
        Recipe.parse({**TWO, "export": "s3://bucket/{stem}.{ext}"})
    assert Recipe.parse({**TWO, "export": "s3://bucket/{output}/{stem}.{ext}"}).export


def test_placeholders_are_filled_in() -> None:
    target = "s3://bucket/{date}/{id}/{stem}-{output}.{ext}"
    assert exported("the harbour.png", target) == f"s3://bucket/2026-12-01/{IMAGE}/the harbour-small.jpg"


@pytest.mark.parametrize(
    ("filename", "stem"),
    [
        ("Größe (1).jpg", "Größe (1)"),
        ("../../etc/passwd", "_"),
        ("a/b\\c:d.png", "a_b_c_d"),
        (".jpg", "jpg"),
        ("...", "picture"),
        ("{id}.png", "_id_"),
        ("ä" * 200 + ".png", "ä" * 75),
        ("a\u0308" * 10 + ".png", "ä" * 10),
        ("नमस्ते.png", "नमस्ते"),
    ],
)
def test_names_are_safe(filename: str, stem: str) -> None:
    assert exported(filename) == f"s3://bucket/{stem}-small.jpg"


@given(st.text(min_size=1))
def test_no_file_name_leaves_the_folder_of_its_target(filename: str) -> None:
    name = exported(filename, "file:///srv/{stem}").removeprefix("file:///srv/")
    assert name not in {"", ".", ".."}
    assert not {"/", "\\", "\0", "%", "?", "#", "{"} & {*name}
    assert len(name.encode()) <= 255


def test_only_allowed_targets_have_a_prefix() -> None:
    allowed = ("s3://bucket/exports/", "file:///srv/")
    assert prefix_of("s3://bucket/exports/a/{stem}", allowed) == "s3://bucket/exports/"
    assert prefix_of("file:///srv/{stem}", allowed) == "file:///srv/"
    for foreign in ("s3://bucket/exports-{stem}", "s3://bucket/{stem}", "s3://other/exports/{stem}", "file:///{stem}"):
        with pytest.raises(InvalidRecipe, match="Allowed are URLs below s3://bucket/exports/, file:///srv/"):
            prefix_of(foreign, allowed)
    with pytest.raises(InvalidRecipe, match="No exports are allowed; the operator can change IMAGOMORTIS_EXPORT_TARG"):
        prefix_of("s3://bucket/{stem}", ())
