"""What the webserver shows of an hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagomortis.catalog.queue import Failure
from imagomortis_pipeline.report import _failures_list, percentile
from tests.uploads import upload


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_not_exceeded_by_that_part_of_the_values(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9


def test_a_file_name_cannot_write_markdown() -> None:
    image = upload()
    text = _failures_list([Failure(image.id, "[x](http://evil)<b>.jpg", "broken", "broken")], "http://page")
    assert "(http://evil)" not in text
    assert "<b>" not in text.replace("\\<", "")
