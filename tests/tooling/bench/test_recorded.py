"""Figures of a run beside those of the run that is kept."""

from __future__ import annotations

from pathlib import Path

from bench.figure import Figure
from bench.recorded import read, record, worse

RATE = Figure("uploads", 90, "pictures/s", floor=100, at_least=0.5)
TIME = Figure("a list", 12, "ms", floor=10, at_most=2)
START = Figure("start", 8, "s", at_most=12)
TOLD = Figure("of it: Postgres", 2, "s")


def test_a_worse_figure_is_named(tmp_path: Path) -> None:
    file = tmp_path / "floors.json"
    record([RATE, TIME, START, TOLD], file)
    assert read(file)["uploads"]["target"] == "≥ 0.5 of the floor"
    same = [Figure("uploads", 41, "pictures/s", floor=50, at_least=0.5), TIME, START]
    assert worse(same, read(file)) == []  # 0.82 of the floor instead of 0.9
    slower = [
        Figure("uploads", 80, "pictures/s", floor=100, at_least=0.5),
        Figure("a list", 14, "ms", floor=10, at_most=2),
        Figure("start", 13, "s", at_most=12),
        Figure("of it: Postgres", 9, "s"),
    ]
    assert worse(slower, read(file)) == [
        "start: 13 s misses ≤ 12 s",
        "uploads: 0.800 of the floor, and was 0.900 of the floor",
        "a list: 1.400 of the floor, and was 1.200 of the floor",
    ]


def test_a_part_of_the_figures_replaces_only_its_own(tmp_path: Path) -> None:
    file = tmp_path / "floors.json"
    record([RATE, START], file)
    record([Figure("start", 7, "s", at_most=12)], file)
    assert {name: entry["value"] for name, entry in read(file).items()} == {"uploads": 90, "start": 7}
    run = read(file)["uploads"]["run"]
    assert isinstance(run, dict)
    assert run.keys() == {"when", "commit", "processors", "system"}


def test_an_unrecorded_figure_is_held_to_its_target(tmp_path: Path) -> None:
    assert worse([RATE, TIME], read(tmp_path / "none.json")) == []
