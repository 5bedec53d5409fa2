"""Writes logs as JSON lines: a short event, and fields that say what it concerns.

Every part writes the same fields: ``time``, ``level``, ``part``, ``event``, and if they apply ``image``, ``run``,
``attempt``, ``seconds``, ``error`` and ``progress``. Uncaught exceptions and Python's warnings are logged as lines,
too. Passwords and signatures inside URLs, which a library's message can quote, are masked.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NoReturn, TextIO

FIELDS: Final = "imagomortis_fields"
"""The attribute of a record that holds its fields, so that a field can have the name of any other attribute."""

_PASSWORD: Final = re.compile(r"(\w://[^\s:/@\"\\]*:)[^\s/@\"\\]+(?=@)")
_PARAMETER: Final = re.compile(r"((?:password|X-(?:Amz|Goog)-Signature|[?&]sig)=)[^\s&'\"\\]+", re.IGNORECASE)

_as_json: Final = json.JSONEncoder(default=str, ensure_ascii=False).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line."""

    def __init__(self, part: str) -> None:
        """Take the name of the part that writes."""
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, its fields beside the standard ones."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": self._part,
            "event": record.getMessage(),
        }
        own = getattr(record, FIELDS, None)
        fields |= {"logger": record.name} if own is None else own
        if record.exc_info and record.exc_info[1]:
            fields.setdefault("error", repr(record.exc_info[1]))
            fields["traceback"] = self.formatException(record.exc_info)
        line = _as_json(fields)
        return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***", line)) if "://" in line else line


def configure(part: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of this process to ``stream`` (standard output) as JSON lines of ``part``.

    Uncaught exceptions and warnings become records as well, instead of text on standard error.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(part))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = name != "uvicorn.access"
    logging.captureWarnings(True)
    # the thread and process are in no line, and finding them takes as long as writing the line
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    sys.excepthook = _on_uncaught
    threading.excepthook = lambda fault: _on_uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)


def give_up(part: str, reason: str, code: int = 1) -> NoReturn:
    """Log why ``part`` cannot start, as the last line on standard error, and exit with ``code``."""
    record = logging.LogRecord(part, logging.ERROR, "", 0, "cannot start", None, None)
    setattr(record, FIELDS, {"error": reason})
    sys.stderr.write(JsonFormatter(part).format(record) + "\n")
    sys.exit(code)


def _on_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), traceback)
        return
    logging.getLogger().critical("crashed", exc_info=(kind, error or kind(), traceback))


class Log:
    """A logger of facts: ``log.info("stored", image=uuid, bytes=12)``."""

    def __init__(self, name: str, **fields: object) -> None:
        """Take the logger's name and the fields of every line."""
        self._logger = logging.getLogger(name)
        self._fields = fields

    def bind(self, **fields: object) -> Log:
        """Return a log that adds ``fields`` to its lines."""
        return Log(self._logger.name, **{**self._fields, **fields})

    def debug(self, event: str, **fields: object) -> None:
        """Log a detail that only a search for a fault needs."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log a fact."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a fact that can need attention."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a fault."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log a fault with the traceback of the current exception."""
        self._log(logging.ERROR, event, fields, exc_info=True)

    def _log(self, level: int, event: str, fields: dict[str, object], exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            # a record without its place in the source, which is in no line, and takes as long to find as writing the
            # line
            error = sys.exc_info() if exc_info else None
            record = logging.LogRecord(self._logger.name, level, "", 0, event, None, error)
            setattr(record, FIELDS, {**self._fields, **fields})
            self._logger.handle(record)
