"""What a run writes to its standard output, as JSON lines; all of it is in Dagster's event log anyway."""

from __future__ import annotations

import logging
import sys

from dagster import InitLoggerContext, LoggerDefinition

from imagomortis.logs import FIELDS, JsonFormatter
from imagomortis_pipeline import resources

PART = "image-task"


class _Concise(logging.Filter):
    """Puts the bare message and the run's id in the place of Dagster's long line."""

    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", {})
        record.msg, record.args = meta.get("orig_message") or record.getMessage(), ()
        setattr(record, FIELDS, {"run": meta.get("run_id"), "step": meta.get("step_key")})
        return True


def _console(_: InitLoggerContext) -> logging.Logger:
    found = logging.Logger("imagomortis.run", resources.settings().log_level.upper())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(PART))
    handler.addFilter(_Concise())
    found.addHandler(handler)
    return found


console: LoggerDefinition = LoggerDefinition(_console, description="Dagster's messages as JSON lines.")
