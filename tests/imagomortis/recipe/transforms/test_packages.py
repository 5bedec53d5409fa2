"""Transforms of other packages: found by their entry points, used as the built-in ones are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from imagomortis.errors import ConfigurationError
from imagomortis.recipe import transforms
from imagomortis.recipe.transforms import GROUP, TRANSFORMS, Context, Step, find
from tests.support.pictures import photo

ROOT = Path(__file__).parents[4]


class Nameless(Step):
    """A transform that does not say what it is called."""

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Change nothing."""
        return image


RENDER = """
import sys
from pathlib import Path
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox

original, result = map(Path, sys.argv[1:])
recipe = Recipe.parse({"steps": [{"transform": "tint"}, {"transform": "encode", "format": "png"}]})
with Sandbox(Limits(), memory_bytes=1 << 30, seconds=60) as sandbox:
    result.write_bytes(sandbox.process(original.read_bytes(), recipe)[0].data)
"""
"""Processes a picture as a worker does."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process for which the sample package is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *offline, str(ROOT / "examples" / "tint")], check=True)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}


def told(environment: dict[str, str], program: str, *arguments: str) -> str:
    """Run a program and return what it prints."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_an_installed_transform_is_run_in_the_sandbox(installed: dict[str, str], tmp_path: Path) -> None:
    original, result = tmp_path / "original.jpg", tmp_path / "result"
    original.write_bytes(photo(64, 48))
    told(installed, RENDER, str(original), str(result))
    with Image.open(result) as picture:
        red, green, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert red > green > blue


@pytest.mark.slow
def test_the_api_describes_it_like_any_other(installed: dict[str, str]) -> None:
    program = (
        "import asyncio, json; from api_service.routes.recipes import list_transforms\n"
        "print(json.dumps([each.model_dump() for each in asyncio.run(list_transforms())]))"
    )
    *_, last = json.loads(told(installed, program))
    assert (last["name"], last["title"]) == ("tint", "Tint")
    assert last["parameters"]["properties"]["amount"]["x-slider"] == {"least": 0, "most": 1, "step": 0.02, "unit": "%"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no_such_package:Sepia", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("json:dumps", "json:dumps is no subclass of imagomortis.recipe.transforms.step.Step"),
        ("imagomortis.recipe.transforms.step:Step", "is no subclass of"),
        (f"{__name__}:Nameless", "lacks its name"),
        ("imagomortis.recipe.transforms.detail.blur:Blur", "there is a transform 'blur' already"),
    ],
)
def test_one_that_cannot_be_used_is_named_with_the_reason(value: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        find([EntryPoint("mine", value, GROUP)])
    assert "The transform 'mine' of the package '?' cannot be used" in raised.value.detail
    assert problem in raised.value.detail


def test_without_packages_there_are_those_of_the_rooms_by_name() -> None:
    assert list(find([])) == list(TRANSFORMS) == sorted(TRANSFORMS)
    rooms = {transform.__module__.removeprefix(f"{transforms.__name__}.").count(".") for transform in find([]).values()}
    assert rooms == {1}


def test_the_document_shows_the_sample_as_it_is() -> None:
    sample = (ROOT / "examples" / "tint" / "imagomortis_tint.py").read_text()
    document = (ROOT / "docs" / "transforms.md").read_text()
    shown = document.partition("```python\n")[2].partition("```\n")[0]
    assert sample.endswith(shown)
    assert "class Tint(Step)" in shown
