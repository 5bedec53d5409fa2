"""Draws the pictures of docs/recipes.md, and writes its table: `.venv/bin/python docs/examples/draw.py`."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Final

from numpy.random import default_rng
from PIL import Image, ImageDraw

from imagomortis.recipe.assets import AssetFiles
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis.recipe.transforms import TRANSFORMS
from imagomortis_cli.pictures import landscapes

FOLDER: Final = Path(__file__).parent
DOCUMENT: Final = FOLDER.parent / "recipes.md"
BEGIN, END = "<!-- Written by docs/examples/draw.py: do not edit. -->", "<!-- The end of what it writes. -->"

SIDE: Final = 240
"""Longest side of a transform's picture, and largest height of the others, in pixels."""

SEED: Final = hashlib.sha256(b"example").digest()

STEPS: Final[dict[str, dict[str, Any]]] = {
    "auto_levels": {"balance": True},
    "blur": {"radius": "3%", "x": "50%", "width": "50%"},
    "border": {"width": "5%", "colour": "#1d3557"},
    "brightness": {"factor": 1.3},
    "circles": {"count": 12},
    "colourise": {},
    "contrast": {"factor": 1.6},
    "crop": {"x": "10%", "y": "30%", "width": "60%", "height": "60%"},
    "exposure": {"stops": 0.8},
    "flip": {},
    "gamma": {"gamma": 1.8},
    "grayscale": {},
    "highlights": {"amount": -0.8},
    "hue": {"angle": 120},
    "overlay": {"asset": "logo", "size": "25%"},
    "pad": {"aspect": "1:1", "colour": "#1d3557"},
    "pixelate": {"size": "5%", "x": "25%", "y": "25%", "width": "50%", "height": "50%"},
    "resize": {"width": "50%"},
    "rotate": {"angle": 8, "background": "#1d3557"},
    "round_corners": {"radius": "15%"},
    "saturation": {"factor": 1.8},
    "shadows": {"amount": 0.8},
    "sharpen": {"amount": 3},
    "smart_crop": {"aspect": "1:1"},
    "temperature": {"amount": -0.6},
    "text": {"text": "Good evening", "font": "serif", "size": "14%"},
    "trim": {},
    "watermark": {"text": "ImagoMortis", "size": "10%"},
}
"""An example step of each transform that changes pixels."""


def main() -> None:
    """Write a small WebP for each transform and for each recipe with several outputs, and the table."""
    picture = landscapes.sunset(1500, 1000, default_rng(5)).convert("RGB").resize((960, 640), Image.Resampling.LANCZOS)
    _save(picture, "original")
    drawn = _logo()
    logo = hashlib.sha256(drawn).hexdigest()
    assets = AssetFiles({logo: drawn})
    for name, step in STEPS.items():
        recipe = Recipe.parse({"steps": [{"transform": name, **step}]}).with_assets({"logo": logo})
        start = _framed(picture) if name == "trim" else picture.copy()
        made = recipe.common.apply(start, SEED, recipe.tracker(), assets=assets)
        ratio = SIDE / (picture.width if name == "resize" else max(made.size))
        _save(made.resize((round(made.width * ratio), round(made.height * ratio)), Image.Resampling.LANCZOS), name)
    for name, named in builtin().items():
        if named.recipe.outputs:
            _save(_outputs(named.recipe, picture), f"outputs-{name}")
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}{END}{rest.partition(END)[2]}", "utf-8")


def table() -> str:
    """Return the table of transforms, in Markdown."""
    lines = ["| transform | result | step |", "|---|---|---|"]
    for name, transform in TRANSFORMS.items():
        said = (transform.__doc__ or "").splitlines()[0]
        step = json.dumps({"transform": name, **STEPS.get(name, {})})
        shown = f"![{name}](examples/{name}.webp)" if name in STEPS else "changes no pixel"
        lines.append(f"| **{name}**: {said} | {shown} | `{step}` |")
    return "\n".join(lines) + "\n"


def _framed(picture: Image.Image) -> Image.Image:
    """Return the picture with borders, which `trim` cuts off."""
    framed = Image.new("RGB", (picture.width + 160, picture.height + 160), "#1d3557")
    framed.paste(picture, (120, 80))
    return framed


def _logo() -> bytes:
    """Return a logo as a file: a disc with a ring around it."""
    logo = Image.new("RGBA", (400, 400))
    draw = ImageDraw.Draw(logo)
    draw.ellipse((10, 10, 390, 390), outline="#ffffff", width=36)
    draw.ellipse((90, 90, 310, 310), fill="#e63946")
    file = io.BytesIO()
    logo.save(file, "PNG")
    return file.getvalue()


def _outputs(recipe: Recipe, picture: Image.Image) -> Image.Image:
    """Return the outputs side by side, in proportion to each other."""
    tracker = recipe.tracker()
    common = recipe.common.apply(picture.copy(), SEED, tracker)
    made = [chain.apply(common.copy(), SEED, tracker) for chain in recipe.branches.values()]
    ratio = 2 * SIDE / 3 / max(max(each.size) for each in made)
    small = [
        each.resize((round(each.width * ratio), round(each.height * ratio)), Image.Resampling.LANCZOS) for each in made
    ]
    row = Image.new("RGBA", (sum(each.width + 8 for each in small) - 8, max(each.height for each in small)))
    left = 0
    for each in small:
        row.paste(each, (left, 0))
        left += each.width + 8
    return row


def _save(picture: Image.Image, name: str) -> None:
    small = picture.copy()
    small.thumbnail((4 * SIDE, SIDE), Image.Resampling.LANCZOS)
    small.save(FOLDER / f"{name}.webp", "WEBP", quality=80, method=6)


if __name__ == "__main__":
    main()
