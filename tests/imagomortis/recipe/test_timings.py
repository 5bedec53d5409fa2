"""Timings: every use of a transform is in exactly one class, and none is lost on the way to the catalog."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagomortis.recipe.timings import BOUNDS, Timings

STEPS = st.lists(st.tuples(st.sampled_from(["blur", "resize"]), st.floats(0, 100)))


@given(STEPS)
def test_nothing_is_lost_or_counted_twice(steps: list[tuple[str, float]]) -> None:
    timings = Timings()
    timings.note(steps)
    found = timings.take()
    assert sum(each.images for each in found) == len(steps)
    assert abs(sum(each.seconds for each in found) - sum(seconds for _, seconds in steps)) < 1e-6
    assert len({(each.transform, each.at_most) for each in found}) == len(found)
    assert timings.take() == []


@given(st.floats(0, 100))
def test_a_value_is_in_the_lowest_class_that_holds_it(seconds: float) -> None:
    timings = Timings()
    timings.note([("blur", seconds)])
    [timing] = timings.take()
    assert timing.at_most == min(bound for bound in BOUNDS if seconds <= bound)


def test_unwritten_timings_are_added_to_later_ones() -> None:
    timings = Timings()
    timings.note([("blur", 0.02)])
    refused = timings.take()
    timings.note([("blur", 0.02)])
    timings.put_back(refused)
    [timing] = timings.take()
    assert timing.images == 2
