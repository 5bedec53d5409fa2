"""Writes the messages of a run to its standard output as JSON lines. Dagster's event log has the same messages."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from dagster import DagsterEvent, InitLoggerContext, LoggerDefinition
from dagster import _loggers as dagsters_loggers

from imagomortis.logs import FIELDS, JsonFormatter
from imagomortis_pipeline import resources

PART: Final = "image-task"


class _Concise(logging.Filter):
    """Replaces Dagster's long line by the bare message, and adds the run's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        record.msg, record.args = meta.get("orig_message") or record.getMessage(), ()
        fields = {"run": meta.get("run_id"), "step": meta.get("step_key"), "error": _error(meta.get("dagster_event"))}
        setattr(record, FIELDS, {name: value for name, value in fields.items() if value})
        return True


def _error(event: DagsterEvent | None) -> str | None:
    """Return the innermost cause in the event of a failed step or run."""
    error = getattr(event.event_specific_data, "error", None) if event else None
    while error and error.cause:
        error = error.cause
    return str(error.message).strip() if error else None


def _create() -> logging.Logger:
    found = logging.Logger("imagomortis.run", resources.settings().log_level.upper())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(PART))
    handler.addFilter(_Concise())
    found.addHandler(handler)
    return found


def _console(_: InitLoggerContext) -> logging.Logger:
    return _create()


console: Final = LoggerDefinition(_console, description="Dagster's messages as JSON lines.")


def make_default() -> None:
    """Let runs without a logger in their configuration write JSON lines too. Dagster has no setting for it."""
    dagsters_loggers.create_console_logger = lambda name, level: _create()  # type: ignore[attr-defined]  # noqa: ARG005
