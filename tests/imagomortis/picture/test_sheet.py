"""The sheet of thumbnails."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from imagomortis.picture import sheet
from tests.support.pictures import save, scene


@pytest.mark.parametrize("kind", ["WEBP", "JPEG"])
@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (6, 6, 1), (7, 6, 2), (24, 6, 4)])
def test_thumbnails_stand_side_by_side_in_rows(kind: str, count: int, columns: int, rows: int) -> None:
    drawn = sheet.draw([save(scene(120, 80), kind)] * count)
    assert (drawn.width, drawn.height) == (columns * sheet.TILE, rows * sheet.TILE)
    with Image.open(io.BytesIO(drawn.data)) as picture:
        assert picture.size == (drawn.width, drawn.height)
        last = (((count - 1) % 6 + 0.5) * sheet.TILE, (rows - 0.5) * sheet.TILE)
        assert picture.convert("L").getpixel(last) < 250  # nothing but tiles is not white
