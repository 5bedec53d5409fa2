"""How many workers a queue wants."""

from __future__ import annotations

import pytest

from imagomortis.settings import Settings
from imagomortis.work.worker_count import images_limit, wanted_workers


@pytest.mark.parametrize(
    ("queued", "seconds", "settings", "wanted"),
    [
        (0, 3.0, {}, 0),
        (1, 0.005, {}, 1),
        (300, 0.005, {}, 1),
        (300, 0.2 + 1e-12, {}, 1),
        (301, 0.005, {}, 2),
        (250, 3.0, {"max_workers": 50}, 13),
        (250, 3.0, {}, 4),
        (250, 3.0, {"max_workers": 50, "drain_seconds": 300}, 3),
        (1, 100.0, {}, 1),
        (99_999, 0.005, {}, 4),
        (3, 0.005, {"images_per_job": 1}, 3),
        (5, 0.005, {"images_per_job": 500}, 1),
        (50, 3.0, {"images_per_job": 500}, 3),
    ],
)
def test_a_queue_wants_as_many_as_do_it_in_time(
    queued: int, seconds: float, settings: dict[str, object], wanted: int
) -> None:
    assert wanted_workers(queued, seconds, Settings.read(**{"max_workers": 4, **settings})) == wanted


@pytest.mark.parametrize("given", [{}, {"images_per_job": 7}, {"drain_seconds": 0.1}, {"drain_seconds": 600}])
def test_counting_further_than_the_limit_asks_for_nobody_else(given: dict[str, object]) -> None:
    settings = Settings.read(max_workers=4, **given)
    assert wanted_workers(images_limit(settings), 0, settings) == 4
