"""The demo's pictures: a dozen, varied, taken by the uploader, drawn quickly."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image, ImageStat

from imagomortis_cli import pictures
from imagomortis_cli.pictures import DemoPicture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn() -> list[DemoPicture]:
    began = time.process_time()
    found = list(pictures.draw())
    assert time.process_time() - began < 12, "meant to take 2 seconds of a core"
    return found


def test_there_are_a_dozen_of_one_to_twelve_megapixels_in_several_kinds(drawn: list[DemoPicture]) -> None:
    assert len(drawn) == pictures.NUMBER == 12
    sizes = [picture.width * picture.height / 1e6 for picture in drawn]
    assert min(sizes) >= 1
    assert max(sizes) == 12
    assert {opened(picture).format for picture in drawn} == {"JPEG", "PNG", "WEBP"}
    assert len({picture.filename for picture in drawn}) == 12


def test_each_is_what_it_says_and_full_of_colours(drawn: list[DemoPicture]) -> None:
    for picture in drawn:
        image = opened(picture)
        assert image.size == (picture.width, picture.height)
        assert image.mode == "RGB"
        small = image.resize((64, 64))
        assert len(small.getcolors(4096) or ()) > 40, picture.filename
        assert max(ImageStat.Stat(small).stddev) > 8, picture.filename


def test_a_seed_draws_the_same_again_and_another_one_others() -> None:
    first, again, other = (next(pictures.draw(seed)).data for seed in (1, 1, 2))
    assert first == again
    assert first != other


def opened(picture: DemoPicture) -> Image.Image:
    return Image.open(io.BytesIO(picture.data))
