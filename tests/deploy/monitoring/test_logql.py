"""The evaluator finds what Loki would."""

from __future__ import annotations

import pytest

from tests.deploy.monitoring.logql import parse

LINES = [
    {"job": "x", "part": "api", "level": "info", "event": "request", "status": 200},
    {"job": "x", "part": "api", "level": "error", "event": "request", "status": 503},
    {"job": "x", "part": "pusher", "level": "info", "event": "queued", "image": "i"},
]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ('{job="x"}', [0, 1, 2]),
        ('{job="x", part!~"api|webui"}', [2]),
        ('{job="x", level=~".*"} |~ "(?i)QUEUED"', [2]),
        ('{job="x"} | image="i"', [2]),
        ('{job="x"} |= "503"', [1]),
        ('{part="api"} | event="request" | json | status>=500', [1]),
        ('sum by (part) (count_over_time({job="x"} | event=~"queued|request" [$__auto]))', [0, 1, 2]),
    ],
)
def test_it_finds_what_it_should(query: str, places: list[int]) -> None:
    assert parse(query).find(LINES) == [LINES[place] for place in places]


def test_it_knows_which_fields_are_asked_for() -> None:
    assert parse('sum by (kind) (count_over_time({job="x"} | event="failed" [5m]))').fields == {"kind", "event"}


@pytest.mark.parametrize("query", ["rate(x)", '{job="x"} | unwrap seconds', "{job=x}"])
def test_unknown_words_are_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"selector|understood"):
        parse(query)
