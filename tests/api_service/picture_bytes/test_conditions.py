"""The laws of ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_service.picture_bytes.conditions import Span, Unsatisfiable, span_of

SIZES = st.integers(1, 10_000)
NUMBERS = st.integers(0, 20_000)


@given(SIZES, NUMBERS, NUMBERS)
def test_a_range_lies_within_the_whole(size: int, first: int, last: int) -> None:
    span = span_of(f"bytes={first}-{last}", None, '"tag"', size)
    if last < first:
        assert span is None
    elif first >= size:
        assert span is Unsatisfiable.RANGE
    else:
        assert span == Span(first, min(last, size - 1) - first + 1)


@given(SIZES, st.integers(1, 20_000))
def test_a_suffix_ends_at_the_end(size: int, length: int) -> None:
    span = span_of(f"bytes=-{length}", None, '"tag"', size)
    assert isinstance(span, Span)
    assert (span.start + span.length, span.length) == (size, min(size, length))


@given(st.text(), st.none() | st.text(), SIZES)
def test_any_header_has_an_answer(header: str, if_range: str | None, size: int) -> None:
    span = span_of(header, if_range, '"tag"', size)
    assert span in {None, Unsatisfiable.RANGE} or (isinstance(span, Span) and 0 < span.length <= size - span.start)
