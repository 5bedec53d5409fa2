"""Records the figures of a run in a file, with floors and targets, and compares later runs with them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.figure import Figure

FILE: Final = Path(__file__).with_name("floors.json")

TOLERANCE: Final = 0.1
"""The share of its recorded ratio that a figure may lose."""


def record(figures: Sequence[Figure], file: Path = FILE) -> None:
    """Write figures to the file. Figures of other names stay, with their runs."""
    run = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    kept = {name: told for name, told in read(file).items() if name not in {figure.name for figure in figures}}
    now = {figure.name: {**as_json(figure), "run": run} for figure in figures}
    file.write_text(json.dumps({**kept, **now}, indent=2) + "\n")


def read(file: Path = FILE) -> dict[str, dict[str, object]]:
    """Return the recorded figures by name; none if there is no file."""
    found: dict[str, dict[str, object]] = json.loads(file.read_text()) if file.exists() else {}
    return found


def worse(figures: Sequence[Figure], recorded: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Describe each figure that misses its target or lost more than a tenth of its recorded ratio.

    Figures without a floor depend on the machine, so only their targets are checked.
    """
    said = [f"{figure.name}: {told(figure)} misses {figure.target}" for figure in figures if not figure.is_reached]
    for figure in figures:
        before = recorded.get(figure.name, {}).get("ratio")
        if isinstance(before, float) and figure.is_reached and _has_lost(figure, before):
            said.append(f"{figure.name}: {told(figure)}, and was {before:.3f} of the floor")
    return said


def told(figure: Figure) -> str:
    """Return the figure in its unit, or its ratio if it has a floor."""
    return f"{figure.value:,.4g} {figure.unit}" if figure.ratio is None else f"{figure.ratio:.3f} of the floor"


def as_json(figure: Figure) -> dict[str, object]:
    """Return a figure with its ratio, its target, and whether that is reached."""
    reached = figure.is_reached if figure.target else None
    return {**asdict(figure), "ratio": figure.ratio, "target": figure.target, "reached": reached}


def _has_lost(figure: Figure, before: float) -> bool:
    if figure.ratio is None:
        return False
    if figure.at_most is not None:  # less is better
        return figure.ratio > before * (1 + TOLERANCE)
    return figure.at_least is not None and figure.ratio < before * (1 - TOLERANCE)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
