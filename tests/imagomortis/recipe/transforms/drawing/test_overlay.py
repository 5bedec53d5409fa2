"""Overlays: places, tiles and frames of an asset."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from PIL import Image, ImageChops

from imagomortis.errors import TransformFailed
from imagomortis.recipe.assets import AssetFiles
from tests.imagomortis.recipe.transforms.applying import SEED, recipe, refused
from tests.support.pictures import difference, pixel, save, truncated

GREY = Image.new("RGB", (400, 300), "#808080")


def frame() -> Image.Image:
    """A red frame around a transparent middle."""
    picture = Image.new("RGBA", (80, 60), "#ff0000")
    picture.paste((0, 0, 0, 0), (10, 10, 70, 50))
    return picture


LOGO = Image.new("RGBA", (40, 20), "#ff0000")


def laid(
    asset: Image.Image | bytes = LOGO, on: Image.Image = GREY, scale: float = 1.0, **parameters: Any
) -> Image.Image:
    data = asset if isinstance(asset, bytes) else save(asset, "PNG")
    digest = hashlib.sha256(data).hexdigest()
    of = recipe("overlay", asset=f"logo@{digest}", **parameters)
    return of.common.apply(on.copy(), SEED, of.tracker(), scale, assets=AssetFiles({digest: data}))


def changed(result: Image.Image, on: Image.Image = GREY) -> tuple[int, int, int, int] | None:
    """Return the box of what an overlay changes."""
    return ImageChops.difference(on.convert("RGB"), result.convert("RGB")).convert("L").getbbox()


@pytest.mark.parametrize(
    ("position", "box"),
    [
        ("top-left", (9, 9, 109, 59)),
        ("center", (150, 125, 250, 175)),
        ("right", (291, 125, 391, 175)),
        ("bottom-right", (291, 241, 391, 291)),
    ],
)
def test_the_asset_stands_at_its_place(position: str, box: tuple[int, int, int, int]) -> None:
    result = laid(position=position, size="25%", margin="3%")
    assert changed(result) == box
    assert pixel(result, (box[0] + box[2]) // 2, (box[1] + box[3]) // 2) == (255, 0, 0)


@pytest.mark.parametrize(("asset", "size"), [((40, 20), (400, 200)), ((20, 80), (75, 300))])
def test_an_asset_that_would_not_fit_shrinks(asset: tuple[int, int], size: tuple[int, int]) -> None:
    left, top, right, bottom = changed(laid(Image.new("RGB", asset, "#ff0000"), size="300%", margin="0%")) or (0,) * 4
    assert (right - left, bottom - top) == size


def test_it_is_as_opaque_as_said() -> None:
    assert pixel(laid(opacity=0.5, position="center"), 200, 150) == (192, 64, 64)


def test_transparent_parts_show_the_picture() -> None:
    result = laid(frame(), layout="stretched")
    assert changed(result) == (0, 0, 400, 300)
    assert pixel(result, 200, 150) == (128, 128, 128)
    assert pixel(result, 5, 150) == pixel(result, 395, 295) == (255, 0, 0)


def test_tiles_cover_the_whole_picture() -> None:
    result = laid(layout="tiled", size="10%", margin="10px")
    assert changed(result) == (0, 0, 390, 290)
    assert [pixel(result, x, 10)[0] for x in (39, 41, 49, 51)] == [255, 128, 128, 255]
    assert [pixel(result, 10, y)[0] for y in (19, 21, 29, 31)] == [255, 128, 128, 255]


def test_tiles_of_one_pixel_are_laid() -> None:
    assert changed(laid(Image.new("RGB", (1, 1), "#ff0000"), layout="tiled", size="1px", margin="0px")) == (
        0,
        0,
        400,
        300,
    )


@pytest.mark.parametrize("layout", ["once", "tiled", "stretched"])
def test_a_transparent_picture_gets_the_asset_too(layout: str) -> None:
    result = laid(on=Image.new("RGBA", (400, 300)), layout=layout, position="top-left", margin="0%")
    assert result.mode == "RGBA"
    assert pixel(result, 10, 10) == (255, 0, 0, 255)


@pytest.mark.parametrize("layout", ["once", "tiled"])
def test_a_preview_looks_like_the_result(layout: str) -> None:
    whole = laid(layout=layout, size="80px", margin="12px").resize((200, 150), Image.Resampling.BOX)
    small = laid(on=GREY.resize((200, 150)), scale=0.5, layout=layout, size="80px", margin="12px")
    assert difference(whole, small) < 1


@pytest.mark.parametrize(
    ("asset", "said"),
    [
        ("logo", r"Step 1 \(overlay\) failed: there was no asset 'logo'.*apply the recipe again\.$"),
        (f"logo@{'0' * 64}", r"the asset 'logo' is gone\. Store the same file again\.$"),
    ],
)
def test_a_missing_asset_fails_the_step(asset: str, said: str) -> None:
    of = recipe("overlay", asset=asset)
    with pytest.raises(TransformFailed, match=said):
        of.common.apply(GREY.copy(), SEED, of.tracker())


def test_a_damaged_asset_fails_the_step() -> None:
    with pytest.raises(TransformFailed, match="the asset 'logo' cannot be decoded"):
        laid(truncated(save(frame(), "PNG"), 0.5))


@pytest.mark.parametrize("asset", ["", "Logo", "logo@", "logo@12", f"logo@{'A' * 64}", "a" * 65, None])
def test_anything_else_does_not_refer_to_an_asset(asset: object) -> None:
    assert "Step 1 (overlay), asset" in refused("overlay", asset=asset)
