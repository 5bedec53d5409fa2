"""Measures the page in Chromium: first view, scrolling, selecting and uploading, with very many pictures.

python -m bench page
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figure import Figure
from tests.whole_system.page.conftest import PAGE, find_node

MANY: Final = {"PICTURES": "100000", "FILES": "10000", "ROUNDS": "3"}

MOST: Final = {
    "scripts of the first view, compressed": 90.0,
    "the server's preview, median": 500.0,
    "longest task with 10000 files": 200.0,
    "growth of memory while they are sent": 30.0,
    "first view of 100000 pictures": 1000.0,
    "thumbnails while it scrolls, after": 2000.0,
}
"""The upper limit of each figure, in its unit."""

BOXES: Final = "frames a second of coloured boxes, median"
GALLERY: Final = "frames a second of the gallery, median"


def run() -> Iterator[Figure]:
    """Run the measuring tests, and yield their figures; coloured boxes are the floor of the gallery's frames."""
    measured = {}
    for name, value, unit in _measured():
        measured[name] = value
        yield Figure(
            name,
            value,
            unit,
            floor=measured[BOXES] if name == GALLERY else None,
            at_least=0.9 if name == GALLERY else None,
            at_most=MOST.get(name),
        )


def _measured() -> list[tuple[str, float, str]]:
    with TemporaryDirectory(prefix="imagomortis-bench-") as folder:
        file = Path(folder) / "figures.txt"
        subprocess.run(
            [find_node() or "node", "node_modules/@playwright/test/cli.js", "test", "figures"],
            cwd=PAGE,
            env={**os.environ, **MANY, "FIGURES": str(file)},
            check=True,
        )
        lines = re.findall(r"^(.+): ([\d.-]+) (\S+)$", file.read_text(), re.MULTILINE)
        return [(name, float(value), unit) for name, value, unit in lines]
