"""Converts the log lines of the embedded Postgres to JSON lines like those of the other parts.

Postgres itself writes JSON only into files, and with its own names. The content of a line is limited, because logs
leave the machine: no statement (it could set a password) and no detail (it could quote a row).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Final

SETTINGS: Final = {
    "log_line_prefix": "%m %p %e ",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""Postgres settings that `as_json` relies on, and that keep private data out of the log."""

LEVELS: Final = {
    "DEBUG": "debug",
    "INFO": "info",
    "LOG": "info",
    "NOTICE": "info",
    "WARNING": "warning",
    "ERROR": "error",
    "FATAL": "error",
    "PANIC": "critical",
}

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC (\d+) (\w{5}) (\w+?)\d?:  (.*)")


def as_json(line: str) -> str:
    """Return the line as a JSON line of the part ``postgres``; a line without the prefix is returned unchanged."""
    found = _LINE.fullmatch(line)
    if found is None:
        return line
    time, pid, code, severity, message = found.groups()
    fields: dict[str, object] = {
        "time": f"{datetime.fromisoformat(time).isoformat(timespec='milliseconds')}+00:00",
        "level": LEVELS.get(severity, "info"),
        "part": "postgres",
        "event": message,
        "pid": int(pid),
    }
    if code != "00000":
        fields["code"] = code
    return json.dumps(fields, ensure_ascii=False)
