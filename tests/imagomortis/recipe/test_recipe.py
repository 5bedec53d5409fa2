"""Recipes: what is valid, what is said of the rest, and one digest for one meaning."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagomortis.errors import InvalidRecipe, TransformFailed
from imagomortis.picture.header import Limits
from imagomortis.recipe.asset_references import MOST_ASSETS
from imagomortis.recipe.chain import PROCESSED
from imagomortis.recipe.recipe import DEFAULT, MOST_STEPS, Recipe, builtin
from imagomortis.recipe.transforms import TRANSFORMS
from tests.support.pictures import difference, faded, scene

lengths = st.one_of(
    st.integers(0, 99_999),
    st.integers(0, 99_999).map("{}px".format),
    st.floats(0, 999).map(lambda number: f"{number:.4f}%"),
)
colours = st.from_regex("#[0-9a-fA-F]{6}", fullmatch=True)
factors = st.floats(0, 5)
places = st.sampled_from(["top-left", "top", "center", "bottom-right"])

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).filter(str.strip)


def step(transform: str, required: dict[str, Any] | None = None, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a step with any of its optional fields."""
    return st.fixed_dictionaries({"transform": st.just(transform), **(required or {})}, optional=optional)


steps = st.one_of(
    step(
        "circles",
        count=st.integers(1, 1000),
        seed=st.one_of(st.none(), st.integers(0, 2**53 - 1)),
        colours=st.one_of(st.none(), st.lists(colours, min_size=1, max_size=16)),
        smallest=lengths,
        largest=lengths,
        opacity=st.floats(0.05, 1),
        style=st.sampled_from(["mixed", "filled", "rings"]),
    ),
    step(
        "resize",
        {"width": lengths},
        height=lengths,
        fit=st.sampled_from(["contain", "cover", "exact"]),
        position=places,
    ),
    step("crop", {"height": lengths}, x=lengths, y=lengths, position=places),
    step("crop", {"aspect": st.sampled_from(["1:1", "16:9"])}),
    step("rotate", {"angle": st.floats(-360, 360)}, expand=st.booleans(), background=colours),
    step("flip", direction=st.sampled_from(["horizontal", "vertical"])),
    step("blur", radius=lengths),
    step("blur", radius=lengths, x=lengths, width=lengths),
    step("sharpen", radius=lengths, amount=factors, threshold=st.integers(0, 255)),
    step("grayscale", amount=st.floats(0, 1)),
    step("brightness", {"factor": factors}),
    step("contrast", {"factor": factors}),
    step("exposure", {"stops": st.floats(-5, 5)}),
    step("highlights", {"amount": st.floats(-1, 1)}),
    step("shadows", {"amount": st.floats(-1, 1)}),
    step("temperature", {"amount": st.floats(-1, 1)}),
    step("saturation", {"factor": factors}),
    step("watermark", {"text": texts}, position=places, size=lengths),
    step(
        "text", {"text": texts}, position=places, size=lengths, width=lengths, font=st.sampled_from(["serif", "mono"])
    ),
    step("pixelate", size=lengths, x=lengths, y=lengths, width=lengths, height=lengths),
    step("round_corners", radius=lengths, background=st.one_of(colours, st.just("transparent"))),
    step("pad", {"width": lengths}, height=lengths, position=places, colour=st.one_of(colours, st.just("transparent"))),
    step("trim", tolerance=st.integers(0, 255)),
    step("smart_crop", {"aspect": st.sampled_from(["1:1", "16:9"])}),
    step("smart_crop", {"width": lengths, "height": lengths}),
    step("auto_levels", ignored=st.floats(0, 20), balance=st.booleans()),
    step("gamma", {"gamma": st.floats(0.1, 10)}),
    step("hue", {"angle": st.floats(-360, 360)}),
    step("colourise", shadows=colours, highlights=colours, amount=st.floats(0, 1)),
    step("border", width=lengths, colour=st.one_of(colours, st.just("transparent"))),
    step("auto_orient"),
    step("strip_metadata"),
    step("encode", format=st.sampled_from(["jpeg", "png", "webp", "avif"]), quality=st.integers(1, 100)),
)
documents = st.lists(steps, min_size=1, max_size=6).map(lambda drawn: {"steps": drawn})


@given(document=documents)
@settings(max_examples=150, deadline=None)
def test_reading_what_was_written_changes_nothing(document: dict[str, Any]) -> None:
    recipe = Recipe.parse(document)
    for again in (
        Recipe.parse(recipe.canonical),
        Recipe.parse(recipe.as_json()),
        Recipe.parse(recipe.canonical.encode()),
    ):
        assert again == recipe
        assert again.digest == recipe.digest


@given(document=documents)
@settings(max_examples=50, deadline=None)
def test_a_document_is_accepted_by_python_as_by_json(document: dict[str, Any]) -> None:
    """Services validate what a JSON parser has read already."""
    assert Recipe.model_validate(json.loads(json.dumps(document))) == Recipe.parse(json.dumps(document))


def test_the_digest_does_not_depend_on_how_a_recipe_is_written() -> None:
    plain = Recipe.parse('{"steps": [{"transform": "border", "width": "40px", "colour": "#FFFFFF"}]}')
    for other in (
        '{"steps":[{"colour":"#ffffff","width":40,"transform":"border"}]}',
        '  {"steps": [{"transform": "border", "width": "0040px"}]}\n',
    ):
        assert Recipe.parse(other).digest == plain.digest


def test_different_recipes_have_different_digests() -> None:
    digests = {Recipe.parse({"steps": [{"transform": "circles", "count": count}]}).digest for count in range(1, 30)}
    assert len(digests) == 29


def test_the_digest_of_the_default_stays() -> None:
    """It is stored with images; a change of any default needs a note in the changelog."""
    assert Recipe.parse(DEFAULT).canonical == (
        '{"steps":[{"colours":null,"count":15,"largest":"17%","opacity":0.6,"seed":null,"smallest":"3%",'
        '"style":"mixed","transform":"circles"}]}'
    )
    assert len(Recipe.parse(DEFAULT).digest) == 64


def test_a_recipe_that_is_read_back_is_complete_with_defaults() -> None:
    assert Recipe.parse({"steps": [{"transform": "blur"}]}).as_json() == {
        "steps": [{"transform": "blur", "radius": "1%"}]
    }


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ("cirkles", r"no built-in recipe 'cirkles'. Did you mean 'circles'\? The built-in ones are circles, "),
        ("Circles", "Did you mean 'circles'"),
        ("", "no built-in recipe ''"),
        ("{", "It is not JSON"),
        ("[]", "The recipe: "),
        ('"circles"', "The recipe: "),
        ("{}", 'needs "steps"'),
        ('{"steps": []}', "steps: .* at least 1 item"),
        ('{"steps": 3}', "steps: "),
        ('{"stesp": [], "steps": [{"transform": "blur"}]}', "no field 'stesp' in a recipe"),
        ('{"steps": [{}]}', 'Step 1: it must say which "transform" it is: .*circles'),
        (
            '{"steps": [{"transform": "blur"}, {"transform": "blurr"}]}',
            "Step 2: there is no transform 'blurr'; did you mean 'blur'?",
        ),
        (
            '{"steps": [{"transform": "circles", "count": 0}]}',
            r"Step 1 \(circles\), count: .* greater than or equal to 1 \(it is 0\)",
        ),
        ('{"steps": [{"transform": "circles", "count": 1001}]}', "less than or equal to 1000"),
        ('{"steps": [{"transform": "circles", "count": "15"}]}', "count: input should be a valid integer"),
        ('{"steps": [{"transform": "circles", "count": true}]}', "count: input should be a valid integer"),
        (
            '{"steps": [{"transform": "circles", "cuont": 3}]}',
            "has no field 'cuont'; did you mean 'count'",
        ),
        ('{"steps": [{"transform": "flip", "xyz": 3}]}', "has no field 'xyz'; there are direction"),
        ('{"steps": [{"transform": "xyz"}]}', "there is no transform 'xyz'; there are auto_levels, auto_orient, "),
        ('{"steps": [{"transform": "auto_orient", "x": 3}]}', "has no field 'x'; it has none"),
        ('{"steps": [{"transform": "circles", "colours": ["red"]}]}', "colours: .*match pattern"),
        ('{"steps": [{"transform": "blur", "radius": 0.1}]}', 'radius: a length is written as "10%"'),
        ('{"steps": [{"transform": "brightness"}]}', r"Step 1 \(brightness\), factor: field required"),
        ('{"steps": [{"transform": "brightness", "factor": NaN}]}', "not JSON|finite"),
        ('{"steps": [{"transform": "resize"}]}', r"Step 1 \(resize\): resize needs a width, a height or both"),
        ('{"steps": [{"transform": "crop", "width": 3, "aspect": "1:1"}]}', "crop needs either"),
        ('{"steps": [{"transform": "watermark", "text": "  "}]}', "text: "),
        ('{"steps": [{"transform": "encode", "format": "gif"}]}', "'jpeg', 'png', 'webp', 'avif' or 'auto'"),
        ('{"steps": [], "outputs": {}}', "steps: .* at least 1 item"),
        ('{"steps": [], "outputs": {"thumbnail": {}}}', "outputs.thumbnail.*cannot be called 'thumbnail'"),
        ('{"steps": [], "outputs": {"original": {}}}', "cannot be called 'original'"),
        ('{"steps": [], "outputs": {"preview": {}}}', "cannot be called 'preview'"),
        ('{"steps": [], "outputs": {"Small": {}}}', "outputs.Small.*match pattern"),
        ('{"steps": [], "outputs": {"": {}}}', "match pattern"),
        ('{"steps": [], "outputs": {"%s": {}}}' % ("x" * 33), "match pattern"),
        (json.dumps({"steps": [], "outputs": {f"n{number}": {} for number in range(17)}}), "at most 16 items"),
        (
            '{"steps": [], "outputs": {"small": {"steps": [{"transform": "blur", "radius": 0.1}]}}}',
            r"Step 1 of the output 'small' \(blur\), radius: a length",
        ),
        (
            '{"steps": [], "outputs": {"small": {"stesp": []}}}',
            "no field 'stesp' in \"outputs.small\"; it has steps, o",
        ),
        (
            '{"steps": [], "outputs": {"small": {"output": {"format": "gif"}}}}',
            "outputs.small.output.format: .*'webp', ",
        ),
        ('{"steps": [], "outputs": {"small": {"output": {"x": 1}}}}', "no field 'x' .* it has transform, format"),
        ('{"steps": [], "outputs": {"small": {}}, "first": "large"}', "'large', which is not among the outputs"),
        ('{"steps": [{"transform": "blur"}], "first": "large"}', "'large', which is not among the outputs"),
        ('{"steps": [], "outputs": {"processed": {}, "a": {}}, "first": "a"}', "'processed' is the first one"),
        ("[" * 5000, "The recipe"),
        ("x" * 70_000, "longer than 65,536 bytes"),
        (b"\xff\xfe", "not text in UTF-8"),
    ],
)
def test_errors_name_the_place_and_the_allowed_values(given_: str | bytes, says: str) -> None:
    with pytest.raises(InvalidRecipe, match=says):
        Recipe.parse(given_)


def test_a_document_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="not a JSON document"):
        Recipe.parse({"steps": [{"transform": object()}]})


def test_too_many_steps_are_refused() -> None:
    Recipe.parse({"steps": [{"transform": "flip"}] * MOST_STEPS})
    with pytest.raises(InvalidRecipe, match="at most 50 are allowed"):
        Recipe.parse({"steps": [{"transform": "flip"}] * (MOST_STEPS + 1)})


def test_too_many_steps_of_outputs_are_refused() -> None:
    outputs = {f"n{number}": {"steps": [{"transform": "flip"}] * 10} for number in range(10)}
    Recipe.parse({"steps": [], "outputs": outputs})
    with pytest.raises(InvalidRecipe, match="101 steps; at most 100 are allowed in all"):
        Recipe.parse({"steps": [{"transform": "flip"}], "outputs": outputs})


def test_many_problems_are_counted_not_listed() -> None:
    with pytest.raises(InvalidRecipe, match=r"Step 3: .*; and 7 more") as refusal:
        Recipe.parse({"steps": [{"transform": "blurr"}] * 10})
    assert "Step 4" not in refusal.value.detail


@given(text=st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda rest: '{"steps": [' + rest)))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_recipe_or_refused(text: str) -> None:
    try:
        recipe = Recipe.parse(text)
    except InvalidRecipe:
        return
    assert recipe == builtin()[text.strip()].recipe


def test_the_default_comes_first_and_draws_fifteen_circles() -> None:
    first = next(iter(builtin().values()))
    assert first.name == DEFAULT
    assert [(each.transform, each.count) for each in first.recipe.steps] == [("circles", 15)]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", builtin())
def test_every_built_in_recipe_works_and_shows(name: str) -> None:
    named = builtin()[name]
    assert named.title
    assert named.description.endswith(".")
    before = scene(300, 200)
    after = first_output(named.recipe, before.copy())
    may_change_nothing = name in {"web", "responsive", "print-and-web", "as-it-is"}
    assert after.size != before.size or difference(after, before) > 0.05 or may_change_nothing
    assert first_output(named.recipe, faded().copy()).mode == "RGBA"


def first_output(recipe: Recipe, image: Image.Image) -> Image.Image:
    """Return the pixels of the first output."""
    image = recipe.common.apply(image, b"seed", recipe.tracker())
    return recipe.branches[PROCESSED].apply(image, b"seed", recipe.tracker())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("responsive", {(320, 240), (640, 480), (1280, 960), (1920, 1440)}),
        ("social", {(1080, 1080), (1080, 1350), (1920, 1080), (1200, 630)}),
        ("print-and-web", {(2048, 1536), (4000, 3000)}),
    ],
)
def test_built_in_outputs_have_their_sizes(name: str, sizes: set[tuple[int, int]]) -> None:
    recipe = builtin()[name].recipe
    assert {chain.plan((4000, 3000), Limits())[-1:] or ((4000, 3000),) for chain in recipe.branches.values()} == {
        (size,) for size in sizes
    }
    if name == "responsive":
        kinds = [chain.encoding.kind for chain in recipe.branches.values()]
        assert sorted(map(str, kinds)) == ["jpeg"] * 4 + ["webp"] * 4


def test_steps_are_applied_in_their_order() -> None:
    border_then_crop = Recipe.parse(
        {"steps": [{"transform": "border", "width": 10}, {"transform": "crop", "width": 20, "height": 20}]}
    )
    crop_then_border = Recipe.parse({"steps": [each.model_dump(mode="json") for each in border_then_crop.steps[::-1]]})
    assert border_then_crop.common.apply(scene(50, 50), b"", border_then_crop.tracker()).size == (20, 20)
    assert crop_then_border.common.apply(scene(50, 50), b"", crop_then_border.tracker()).size == (40, 40)


@given(document=documents)
@settings(max_examples=80, deadline=None)
def test_the_same_recipe_seed_and_picture_give_the_same_pixels(document: dict[str, Any]) -> None:
    recipe = Recipe.parse(document)
    limits = Limits(max_pixels=40_000, max_side=2000)
    with suppress(TransformFailed):
        sizes = recipe.common.plan((40, 30), limits)
        one, two = (recipe.common.apply(scene(40, 30), b"seed", recipe.tracker(), limits=limits) for _ in range(2))
        assert one.size == two.size
        # how much `trim` leaves is not known before
        assert one.size == sizes[-1] or "trim" in recipe.labels
        assert limits.reason(*one.size) is None
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(
    ("steps_", "says"),
    [
        ([{"transform": "resize", "width": "99999px", "fit": "exact", "height": 1}], r"Step 1 \(resize\).* 65,500"),
        (
            [{"transform": "blur"}, {"transform": "border", "width": "999%"}] * 3,
            r"Step 6 \(border#3\).*200 megapixels|Step",
        ),
        (
            [{"transform": "resize", "width": "999%", "enlarge": True}],
            r"Step 1 \(resize\) failed: .*at most 1 megapixels",
        ),
    ],
)
def test_a_result_beyond_the_limits_is_refused_before_any_work(steps_: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(TransformFailed, match=says):
        Recipe.parse({"steps": steps_}).common.plan((400, 300), Limits(max_pixels=1_000_000))


def test_a_failure_names_its_step() -> None:
    recipe = Recipe.parse({"steps": [{"transform": "flip"}, {"transform": "crop", "width": 5, "x": "500px"}]})
    with pytest.raises(TransformFailed, match=r"^Step 2 \(crop\) failed: ") as failure:
        recipe.common.apply(scene(50, 50), b"", recipe.tracker())
    assert failure.value.members == {"step": 2, "transform": "crop"}


def test_progress_is_reported_by_label_and_never_falls() -> None:
    recipe = Recipe.parse({"steps": [{"transform": "blur"}, {"transform": "circles"}, {"transform": "blur"}]})
    seen: list[dict[str, int]] = []
    recipe.common.apply(scene(50, 50), b"", recipe.tracker(lambda done: seen.append(dict(done))))
    assert list(seen[0]) == ["blur", "circles", "blur#2"]
    assert seen[0] == {"blur": 100, "circles": 0, "blur#2": 0}
    assert seen[-1] == {"blur": 100, "circles": 100, "blur#2": 100}
    for before, after in pairwise(seen):
        assert all(after[label] >= before[label] for label in before)


def test_the_last_encode_step_counts_and_any_strip_metadata() -> None:
    recipe = Recipe.parse(
        {
            "steps": [
                {"transform": "strip_metadata"},
                {"transform": "encode", "format": "png"},
                {"transform": "encode", "format": "webp", "quality": 33},
                {"transform": "auto_orient"},
            ]
        }
    )
    encoding = recipe.branches[PROCESSED].encoding
    assert (encoding.kind, encoding.quality, encoding.keep_metadata) == ("webp", 33, False)
    assert difference(recipe.common.apply(scene(40, 30), b"", recipe.tracker()), scene(40, 30)) == 0


def test_every_transform_is_in_the_schema() -> None:
    schema = Recipe.model_json_schema()
    mapping = schema["properties"]["steps"]["items"]["discriminator"]["mapping"]
    assert set(mapping) == set(TRANSFORMS)


def test_an_unforeseen_error_in_a_step_names_it() -> None:
    recipe = Recipe.parse({"steps": [{"transform": "brightness", "factor": 2}]})
    with pytest.raises(TransformFailed, match=r"Step 1 \(brightness\) failed: "):
        recipe.common.apply(Image.new("1", (4, 4)), b"", recipe.tracker())


def test_a_recipe_with_a_nul_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="NUL"):
        Recipe.parse({"steps": [{"transform": "watermark", "text": "a\0b"}]})


OUTPUTS: dict[str, Any] = {
    "steps": [{"transform": "circles"}],
    "outputs": {
        "wide": {"steps": [{"transform": "resize", "width": 40}, {"transform": "circles"}]},
        "small": {"steps": [{"transform": "resize", "width": 20}], "output": {"format": "webp", "quality": 50}},
    },
}


def test_stored_outputs_keep_their_digest_and_their_first_one() -> None:
    recipe = Recipe.parse(OUTPUTS)
    stored = Recipe.parse(recipe.canonical)
    assert recipe.first == stored.first == "wide"
    assert list(recipe.branches) == list(stored.branches) == [PROCESSED, "small"]
    assert recipe.digest == stored.digest
    assert recipe.digest != Recipe.parse({**OUTPUTS, "first": "small"}).digest
    assert recipe.digest != Recipe.parse({"steps": OUTPUTS["steps"]}).digest


def test_an_output_called_processed_is_the_first_wherever_it_is_written() -> None:
    recipe = Recipe.parse({"steps": [], "outputs": {"a": {}, "processed": {}}})
    assert recipe.first == "processed"
    assert list(recipe.branches) == [PROCESSED, "a"]


def test_labels_name_the_output_and_the_step() -> None:
    assert Recipe.parse(OUTPUTS).transforms == {
        "circles": "circles",
        "wide/resize": "resize",
        "wide/circles": "circles",
        "small/resize": "resize",
        "small/encode": "encode",
    }


def test_an_output_is_encoded_as_it_says_or_else_as_the_common_steps_say() -> None:
    common = [{"transform": "encode", "format": "png"}, {"transform": "strip_metadata"}]
    branches = Recipe.parse({**OUTPUTS, "steps": common}).branches
    assert (branches["small"].encoding.kind, branches["small"].encoding.quality) == ("webp", 50)
    assert branches[PROCESSED].encoding.kind == "png"
    assert not branches["small"].encoding.keep_metadata


def test_an_encoding_may_search_for_its_quality_and_format() -> None:
    encode = {"transform": "encode", "format": "auto", "quality": "auto", "max_bytes": 90_000, "progressive": True}
    recipe = Recipe.parse({"steps": [encode]})
    encoding = recipe.branches[PROCESSED].encoding
    assert (encoding.kind, encoding.quality, encoding.max_bytes, encoding.progressive) == ("auto", "auto", 90_000, True)
    assert Recipe.parse(recipe.canonical) == recipe


def test_a_failure_names_its_output() -> None:
    failing = {"steps": [{"transform": "flip"}, {"transform": "crop", "width": 5, "x": "500px"}]}
    recipe = Recipe.parse({"steps": [], "outputs": {"cut": failing}})
    with pytest.raises(TransformFailed, match=r"^Step 2 \(crop\) of the output 'cut' failed: ") as failure:
        recipe.branches[PROCESSED].apply(scene(50, 50), b"", recipe.tracker())
    assert failure.value.members == {"step": 2, "transform": "crop", "output": "cut"}


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("as-it-is", "271c91d1d577cfa5d5f536e96bc446d097d6acdba12ca48947edcc2548bc1bc2"),
        ("circles", "6b0aa2affdb0ee18669470cba0e84df29c358ca5533975202ceafcd7bea54373"),
        ("black-and-white", "3d0a7cb967c4b56845d6c7e935445b8205a3955d10b7ff8ac77a179f343d58b8"),
        ("confetti", "adf5cbf0ef894f12a464fb3cc55a9dbfaeb6dd06184bd6ca5529b0edd0b3b875"),
        ("dream", "22a4c5b2641385f00efd9b6bb8c62a5edafd853e8ded45a847b5b22f1ca02eb6"),
        ("framed", "12132b95b312c4b08d3780ad541966ff6502cb1ff91943f5a15f5ed4fb2e8d7d"),
        ("square", "9af2a2410fab2d8cf89a451013a43fdacfb9a83faf408b745c00da3e1f4ee9f3"),
        ("vivid", "fd63c45e542bacaf784d084038bb5372a01cf7c6c728838cedc6e6514057e529"),
        ("watermark", "88273dca45c23dfa47940790fde92f3121ab0599e53fa2c0ea4df043f25ab627"),
        ("web", "87d4ff922e6714ff58f75fcf7f329c08f355e603482c4343b3bd0c30f95fabed"),
    ],
)
def test_the_digests_of_stored_recipes_stay(name: str, digest: str) -> None:
    assert Recipe.parse(name).digest == digest


def test_assets_are_found_in_all_steps_and_get_their_digests() -> None:
    overlay = {"transform": "overlay", "asset": "logo"}
    fixed = {"transform": "overlay", "asset": f"frame@{'1' * 64}"}
    recipe = Recipe.parse({"steps": [overlay], "outputs": {"small": {"steps": [fixed, overlay]}, "large": {}}})
    assert recipe.assets == ("logo", f"frame@{'1' * 64}")
    made = recipe.with_assets({"logo": "2" * 64, "frame": "3" * 64})
    assert made.assets == (f"logo@{'2' * 64}", f"frame@{'1' * 64}")
    assert made.digest != recipe.digest
    assert made.with_assets({"logo": "4" * 64}) == made


def test_a_missing_asset_is_named() -> None:
    recipe = Recipe.parse({"steps": [{"transform": "overlay", "asset": "lgo"}]})
    with pytest.raises(InvalidRecipe, match="There is no asset 'lgo'"):
        recipe.with_assets({"logo": "0" * 64})


def test_a_recipe_has_a_few_assets_at_most() -> None:
    steps = [{"transform": "overlay", "asset": f"logo{number}"} for number in range(MOST_ASSETS + 1)]
    assert len(Recipe.parse({"steps": [*steps[:MOST_ASSETS], steps[0]]}).assets) == MOST_ASSETS
    with pytest.raises(InvalidRecipe, match="there are 9 assets; at most 8 are allowed"):
        Recipe.parse({"steps": steps})


def test_the_documented_recipes_are_valid() -> None:
    text = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
    examples = [Recipe.parse(example) for example in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert [list(recipe.branches) for recipe in examples] == [[PROCESSED], [PROCESSED], [PROCESSED, "small", "square"]]
    named = {name for name, known in builtin().items() if known.recipe.outputs}
    assert named == set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE))
