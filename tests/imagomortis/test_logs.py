"""Log lines: JSON, the same fields everywhere, and no password."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from imagomortis import logs
from imagomortis.logs import Log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a process writes that logs as the part `api`."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    found = io.StringIO()
    logs.configure("api", "info", found)
    yield found
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    logging.captureWarnings(False)


def last(stream: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return found


def test_a_fact_is_one_line_with_its_fields(stream: io.StringIO) -> None:
    Log("anything").bind(run="r").info("stored", image="i", seconds=0.5)
    line = last(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "part": "api", "event": "stored", "run": "r", "image": "i", "seconds": 0.5}


def test_lines_of_libraries_name_their_logger(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("hm %s", 1)
    assert (last(stream)["event"], last(stream)["logger"]) == ("hm 1", "library")


def test_an_exception_has_its_cause_and_its_traceback_in_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        Log("anything").exception("crashed")
    assert len(stream.getvalue().splitlines()) == 1
    assert last(stream)["error"] == "ValueError('no\\nsuch thing')"
    assert "test_logs.py" in last(stream)["traceback"]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:SECRET@host/db",
        "postgresql+psycopg2://me:SECRET@host",
        "http://:SECRET@host",
        "a://b:SECRET@c, d",
        "postgresql:///db?host=h&password=SECRET",
        "postgresql://me@host/db?sslpassword=SECRET&sslmode=require",
        "https://bucket/key?X-Amz-Date=1&X-Amz-Signature=SECRET",
        "https://bucket/key?X-Goog-Date=1&X-Goog-Signature=SECRET",
        "https://account/key?sv=1&sig=SECRET",
    ],
)
def test_a_password_in_a_url_is_left_out(stream: io.StringIO, text: str) -> None:
    Log("anything").error("failed", error=f'could not connect to "{text}"')
    assert "SECRET" not in stream.getvalue()
    assert "://" in last(stream)["error"]
    assert "***" in last(stream)["error"]


@pytest.mark.parametrize("text", ["http://host:30080/a@b", "me@host", "http://[::1]:80/x", "at 12:30:00 it was @home"])
def test_other_words_than_passwords_stay(stream: io.StringIO, text: str) -> None:
    Log("anything").error("failed", error=text)
    assert last(stream)["error"] == text


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemError('boom')",
        "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
        "import warnings; warnings.warn('careful')",
        "logs.give_up('api', 'no port')",
    ],
)
def test_messages_of_python_are_lines_too(program: str) -> None:
    script = f"from imagomortis import logs; logs.configure('api'); {program}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    [line] = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert (line["part"], {"time", "level", "event"} <= line.keys()) == ("api", True)
