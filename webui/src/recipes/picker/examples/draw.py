"""Draws the examples of the built-in recipes: `.venv/bin/python webui/src/recipes/picker/examples/draw.py`."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from numpy.random import default_rng
from PIL import Image

from imagomortis.recipe.chain import PROCESSED
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis_cli.pictures import landscapes

SIZE = (480, 320)
FOLDER = Path(__file__).parent


def main() -> None:
    """Write a small WebP for each recipe."""
    picture = landscapes.sunset(1500, 1000, default_rng(5)).convert("RGB").resize((960, 640), Image.Resampling.LANCZOS)
    for name, named in builtin().items():
        made = _first_output(named.recipe, picture.copy())
        made.thumbnail(SIZE, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        made.convert("RGB").save(file, "WEBP", quality=72, method=6)
        (FOLDER / f"{name}.webp").write_bytes(file.getvalue())


def _first_output(recipe: Recipe, picture: Image.Image) -> Image.Image:
    seed, tracker = hashlib.sha256(b"example").digest(), recipe.tracker()
    return recipe.branches[PROCESSED].apply(recipe.common.apply(picture, seed, tracker), seed, tracker)


if __name__ == "__main__":
    main()
