"""What the webserver shows of an hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagomortis.catalog import Catalog
from imagomortis.work.worker import HourStatistics
from imagomortis_pipeline.image_task.report import metadata_of, percentile
from tests.support.uploads import NOON, upload


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_not_exceeded_by_that_part_of_the_values(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9


def test_a_file_name_cannot_write_markdown(catalog: Catalog) -> None:
    data = b"no picture"
    catalog.queue.add([(upload(data, filename="[x](http://evil)<b>.jpg"), data)])
    while lease := catalog.queue.lease("run-1", 1, 15):
        catalog.queue.fail(lease.token, lease.images[0].id, "broken", "broken", 0.1)
    text = metadata_of(catalog, NOON, HourStatistics(), "http://page", lambda _: b"")["failures"].value
    assert "x" in text
    assert "(http://evil)" not in text
    assert "<b>" not in text.replace("\\<", "")
