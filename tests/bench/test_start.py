"""Which measurements `make bench` makes of a start."""

from __future__ import annotations

import subprocess

from tests.live import ROOT


def test_make_bench_times_a_fresh_clone() -> None:
    printed = subprocess.run(["make", "--dry-run", "bench"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m bench --clone" in printed.stdout
