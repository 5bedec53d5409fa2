"""The document of recipes: it shows every transform as it is, with small pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PIL import Image

from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis.recipe.transforms import find

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = (DOCS / "recipes.md").read_text("utf-8")


def test_every_transform_has_a_row_with_a_valid_step() -> None:
    rows = re.findall(r"^\| \*\*(\w+)\*\*: (.+?) \| .+ \| `(.+)` \|$", DOCUMENT, re.MULTILINE)
    assert {name: said for name, said, _ in rows} == {
        name: (transform.__doc__ or "").splitlines()[0] for name, transform in find([]).items()
    }
    for name, _, step in rows:
        assert Recipe.parse({"steps": [json.loads(step)]}).steps[0].transform == name


def test_transforms_and_several_outputs_have_pictures() -> None:
    shown = set(re.findall(r"\]\(examples/(.+?)\.webp\)", DOCUMENT))
    outputs = {f"outputs-{name}" for name, named in builtin().items() if named.recipe.outputs}
    assert shown == find([]).keys() - {"auto_orient", "encode", "strip_metadata"} | {"original"} | outputs
    for name in shown:
        file = DOCS / "examples" / f"{name}.webp"
        assert file.stat().st_size < 12_000
        with Image.open(file) as picture:
            assert max(picture.size) <= 960
