"""Writes the output of commands: results to standard output, progress and notes to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from rich import box, filesize
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from imagomortis_cli.output import clean, encodable

Unit = Literal["bytes", "pictures"]
Advance = Callable[[float], object]

LINE_SECONDS: Final = 5.0
"""The seconds between two progress lines if there is no terminal."""


class Terminal:
    """The output of one command."""

    def __init__(self, *, is_json: bool = False) -> None:
        """Take whether the result is one JSON document; then only bars and errors are written besides."""
        self.is_json = is_json
        self._out = Console()
        self._err = Console(stderr=True)
        self._bar: Progress | None = None

    def line(self, text: str) -> None:
        """Write a line of the result, unless the result is a JSON document."""
        if not self.is_json:
            self._write(text, self._out)

    def note(self, text: str) -> None:
        """Write a note to standard error."""
        if not self.is_json:
            self._write(text, self._err)

    def document(self, document: object) -> None:
        """Write the result, if JSON was asked for."""
        if self.is_json:
            sys.stdout.write(_json(document, indent=2) + "\n")

    def documents(self, documents: Iterable[object]) -> None:
        """Write many documents as a JSON array, each as it comes."""
        lead = "[\n"
        for document in documents:
            sys.stdout.write(lead + _json(document))
            lead = ",\n"
        sys.stdout.write("[]\n" if lead == "[\n" else "\n]\n")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; without a terminal, write complete lines with tabs."""
        if self._out.is_terminal:
            table = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)
            for row in rows:
                table.add_row(*(Text(clean(cell)) for cell in row))
            self._out.print(table)
            return
        for row in (headers, *rows):
            sys.stdout.write("\t".join(clean(cell) for cell in row) + "\n")

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write pairs of a name and a text."""
        found = list(rows)
        width = max(len(name) for name, _ in found)
        for name, text in found:
            self.line(f"{name.ljust(width)}  {text}")

    @contextmanager
    def progress(self, label: str, total: float | None, unit: Unit) -> Iterator[Advance]:
        """Show progress; yield a function that takes each step forward (or back, below 0)."""
        if self._err.is_terminal:
            with Progress(*_columns(unit, total), console=self._err, transient=True) as bar:
                task = bar.add_task(label, total=total)
                self._bar = bar
                try:
                    yield lambda step: bar.advance(task, step)
                finally:
                    self._bar = None
        else:
            lines = _Lines(label, total, unit, self.note)
            yield lines.advance
            lines.end()

    def _write(self, text: str, console: Console) -> None:
        """Write above a bar on the same terminal, which would overwrite the line otherwise."""
        if self._bar and console.is_terminal:
            self._bar.console.print(Text(clean(text)), soft_wrap=True)
        else:
            console.file.write(clean(text) + "\n")
            console.file.flush()


class _Lines:
    """Shows progress as lines: at the beginning, in intervals, and at the end."""

    def __init__(self, label: str, total: float | None, unit: Unit, write: Callable[[str], None]) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._write = write
        self._done = 0.0
        self._next = time.monotonic() + LINE_SECONDS
        write(f"{label} ({_amount(total, unit)})" if total else label)

    def advance(self, step: float) -> None:
        self._done += step
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            of = f" of {_amount(self._total, self._unit)}" if self._total else ""
            self._write(f"{self._label}: {_amount(self._done, self._unit)}{of}")

    def end(self) -> None:
        self._write(f"{self._label}: done, {_amount(self._done, self._unit)}")


def count(number: int, thing: str) -> str:
    """Return a number of things in words: ``1 picture``, ``1,200 pictures``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return a number of bytes in words."""
    return filesize.decimal(number)


def age(moment: str) -> str:
    """Return how long ago a moment in ISO 8601 was."""
    return duration((datetime.now(UTC) - datetime.fromisoformat(moment)) / timedelta(seconds=1))


def duration(seconds: float) -> str:
    """Return a time in words, in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _json(document: object, indent: int | None = None) -> str:
    return encodable(json.dumps(document, indent=indent, ensure_ascii=False, default=str))


def _amount(number: float | None, unit: Unit) -> str:
    number = _whole(max(0, number or 0))
    return size(number) if unit == "bytes" else count(number, "picture")


class _Pictures(ProgressColumn):
    """Shows the number of done pictures, and of all."""

    def render(self, task: Task) -> Text:
        """Return the two numbers."""
        return Text(f"{_whole(task.completed):,}/{_whole(task.total or 0):,}")


def _whole(number: float) -> int:
    """Return the number of complete things in a sum of fractions."""
    return int(number + 0.001)


def _columns(unit: Unit, total: float | None) -> list[ProgressColumn]:
    label: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    if unit == "bytes":
        amount: list[ProgressColumn] = [DownloadColumn(), TransferSpeedColumn()]
    else:
        amount = [_Pictures()]
    if total is None:
        return [*label, *amount[-1:], TimeElapsedColumn()]
    return [*label, BarColumn(), *amount, TimeRemainingColumn()]
