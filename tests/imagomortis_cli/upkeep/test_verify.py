"""Verifying: an interruption costs nothing, and damage is told by name with what mends it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from imagomortis.catalog import Catalog
from imagomortis_cli.upkeep.verify import Report, begin, verify
from tests.imagomortis.catalog.upkeep.test_verification import flip_a_byte, process
from tests.support.uploads import arrivals


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "verify.json"


@pytest.fixture(autouse=True)
def _six_images(catalog: Catalog) -> None:
    catalog.queue.add(arrivals(6))
    process(catalog)


class Interrupt:
    """Is told of bytes, and interrupts when there were so many."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def __call__(self, step: int) -> None:
        self.left -= step
        if self.left < 0:
            raise KeyboardInterrupt


def whole(catalog: Catalog) -> Report:
    report = begin(catalog, None)
    verify(catalog, report, None, lambda _: None)
    return report


def test_everything_is_read(catalog: Catalog) -> None:
    report = whole(catalog)
    assert (report.images, report.pictures, report.damaged) == (6, 18, [])
    assert report.bytes == catalog.verification.amount()[1]


@pytest.mark.parametrize("bytes_until", [0, 10, 30, 100])
def test_it_goes_on_where_it_was_interrupted(catalog: Catalog, state: Path, bytes_until: int) -> None:
    flip_a_byte(catalog, "originals")
    report = begin(catalog, state)
    with pytest.raises(KeyboardInterrupt):
        verify(catalog, report, state, Interrupt(bytes_until))
    resumed = begin(catalog, state)
    assert (resumed.images, resumed.bytes) == (report.images, report.bytes)
    verify(catalog, resumed, state, lambda _: None)
    expected = whole(catalog)
    assert resumed == expected
    assert len({each.id for each in expected.damaged}) == 6
    assert not state.exists()


def test_it_begins_anew_when_told_or_for_another_database(catalog: Catalog, state: Path) -> None:
    report = begin(catalog, state)
    with pytest.raises(KeyboardInterrupt):
        verify(catalog, report, state, Interrupt(40))
    assert begin(catalog, state).images > 0
    assert begin(catalog, state, restart=True).images == 0
    state.write_text(report.model_copy(update={"database": "another"}).model_dump_json())
    assert begin(catalog, state).images == 0


def test_a_damaged_rendition_can_be_made_again_and_a_damaged_original_cannot(catalog: Catalog) -> None:
    first, second, *_ = sorted(picture.image_id for picture in catalog.verification.pictures(after=UUID(int=0)))[::3]
    flip_a_byte(catalog, "renditions", f"image_id IN ('{first}', '{second}')")
    flip_a_byte(catalog, "originals", f"image_id = '{second}'")
    report = whole(catalog)
    assert (report.to_retry, report.lost) == ([first], [second])
    catalog.images.retry(report.to_retry)
    process(catalog)
    assert {each.id for each in whole(catalog).damaged} == {second}
