"""The helper that waits for conditions."""

from __future__ import annotations

import pytest

from tests.waiting import wait_for, wait_until


def test_what_is_found_is_returned() -> None:
    found = iter([None, "", "it"])
    assert wait_until(lambda: next(found)) == "it"


def test_what_does_not_happen_is_told_with_what_was_found_last() -> None:
    with pytest.raises(AssertionError, match=r"(?s)within 0.1 s; found last: 0.*the log"):
        wait_until(lambda: 0, 0.1, lambda: "the log")


@pytest.mark.anyio
async def test_the_same_in_an_event_loop() -> None:
    found = iter([None, "", "it"])
    assert await wait_for(lambda: next(found)) == "it"
    with pytest.raises(AssertionError, match="found last: 0"):
        await wait_for(lambda: 0, 0.1)
