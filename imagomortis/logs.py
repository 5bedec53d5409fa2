"""Logs as JSON lines: a short verb, and the fields that say to whom it happened.

Every part writes the same fields: ``time``, ``level``, ``part``, ``event``, and where they apply ``image``, ``run``,
``attempt``, ``seconds``, ``error`` and ``progress``.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

FIELDS = "imagomortis_fields"
"""Where a record carries its fields: under one name, so that a field may be called as a record's own attributes are."""


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON line."""

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
        if not record.name.startswith(("imagomortis", self._part)):
            fields["logger"] = record.name
        fields |= getattr(record, FIELDS, {})
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)


def configure(part: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of this process to ``stream`` (standard output) as JSON lines of ``part``."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(part))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = name != "uvicorn.access"


class Log:
    """A logger of facts: ``log.info("stored", image=uuid, bytes=12)``."""

    def __init__(self, name: str, **fields: object) -> None:
        """Take the logger's name and the fields that every line carries."""
        self._logger = logging.getLogger(name)
        self._fields = fields

    def bind(self, **fields: object) -> Log:
        """Return a log whose lines carry ``fields`` too."""
        return Log(self._logger.name, **{**self._fields, **fields})

    def debug(self, event: str, **fields: object) -> None:
        """Log what only a developer wants to know."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log a fact."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a fact that someone may have to look at."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a fault."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log a fault with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, event, fields, exc_info=True)

    def _log(self, level: int, event: str, fields: dict[str, object], exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={FIELDS: {**self._fields, **fields}}, exc_info=exc_info)
