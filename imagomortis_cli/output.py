"""Merges the log lines of all parts on one terminal: each gets the name of its part, and JSON becomes readable.

File names and error messages come from outside, so control characters are removed: a terminal would obey them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from zlib import crc32

from imagomortis import logs

_COLOURS: Final = (36, 32, 35, 34, 33, 96, 92, 95, 94, 93)
_LEVELS: Final = {"warning": 33, "error": 31, "critical": 31, "debug": 2}
_HIDDEN: Final = frozenset({"time", "level", "part", "event", "logger", "traceback"})
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class MergedLogs:
    """Writes the log lines of the parts; goes on if the terminal is closed."""

    def __init__(
        self, parts: Iterable[str], stream: TextIO | None = None, *, raw: bool = False, colour: bool = False
    ) -> None:
        """Take the names of the parts, for the width of their column; ``raw`` writes JSON lines."""
        self._stream = stream or sys.stdout
        self._raw = raw
        self._colour = colour
        self._width = max((len(part) for part in parts), default=0)

    def line(self, part: str, text: str) -> None:
        """Write one line of a part."""
        lines = [_as_json(part, text)] if self._raw else self._readable(part, text)
        with suppress(OSError, ValueError):  # the terminal was closed
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()

    def log(self, part: str, level: str) -> None:
        """Show this process's own log lines as those of ``part``."""
        handler = _LineHandler(lambda text: self.line(part, text))
        handler.setFormatter(logs.JsonFormatter(part))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(level.upper())

    def _prefix(self, part: str) -> str:
        colour = _COLOURS[crc32(part.encode()) % len(_COLOURS)]
        return f"{self._paint(part.ljust(self._width), colour)} {self._paint('|', 2)}"

    def _readable(self, part: str, text: str) -> list[str]:
        """Return the line with its prefix: the part that the record names, which can be a child of ``part``."""
        record = _record(text)
        if record is None:
            return [f"{self._prefix(part)} {clean(text)}"]
        prefix = self._prefix(clean(str(record.get("part", part))))
        return [f"{prefix} {line}" for line in _sentence(record, self._paint)]

    def _paint(self, text: str, colour: int | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour and text else text


def readable(text: str) -> list[str]:
    """Return a log record as readable lines without colours, and any other line unchanged."""
    record = _record(text)
    return [clean(text)] if record is None else _sentence(record, lambda words, _: words)


def _sentence(record: dict[str, Any], paint: Callable[[str, int | None], str]) -> list[str]:
    """Return a log record as a readable line, followed by its traceback."""
    level = str(record.get("level", "info"))
    fields = " ".join(f"{key}={_value(value)}" for key, value in record.items() if key not in _HIDDEN)
    event = clean(str(record["event"]))
    words = [paint(_clock(record), 2), paint(event, _LEVELS.get(level)), paint(fields, 2)]
    below = str(record.get("traceback") or "")
    return [" ".join(word for word in words if word), *(clean(line) for line in below.splitlines())]


def _as_json(part: str, text: str) -> str:
    """Return a line as a log record. Any other text, such as a crash message, becomes the event of a new record."""
    if _record(text) is not None:
        return text
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": "info", "part": part, "event": clean(text)}, ensure_ascii=False)


def clean(text: str) -> str:
    """Return the text without control characters, and writable as UTF-8."""
    return _CONTROL.sub("", _ESCAPE.sub("", encodable(text))).replace("\n", " ")


def encodable(text: str) -> str:
    """Return the text with U+FFFD for lone surrogates, which stand for bytes of a file's name that are not UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


class _LineHandler(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        self._write(self.format(record))


def _record(text: str) -> dict[str, Any] | None:
    """Return the line as a log record; None if it is not one."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _value(value: object) -> str:
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return f'"{text}"' if " " in text and isinstance(value, str) else text


def _clock(record: dict[str, Any]) -> str:
    try:
        when = datetime.fromisoformat(str(record.get("time")))
    except ValueError:
        return ""
    return when.astimezone().strftime("%H:%M:%S")
