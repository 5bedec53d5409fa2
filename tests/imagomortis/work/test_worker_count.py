"""How many workers a queue wants."""

from __future__ import annotations

import pytest

from imagomortis.work.worker_count import wanted_workers


@pytest.mark.parametrize(
    ("queued", "images_per_job", "most", "wanted"),
    [(0, 0, 4, 0), (1, 0, 4, 1), (300, 0, 4, 1), (301, 0, 4, 2), (99_999, 0, 4, 4), (3, 1, 4, 3), (5, 500, 4, 1)],
)
def test_a_queue_wants_as_many_as_are_worth_their_start(
    queued: int, images_per_job: int, most: int, wanted: int
) -> None:
    assert wanted_workers(queued, images_per_job, most) == wanted
