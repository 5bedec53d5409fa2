"""The lines of all parts on one terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from imagomortis.logs import Log
from imagomortis_cli.output import MergedLogs, clean


def shown(part: str, text: str, *, raw: bool = False, colour: bool = False) -> str:
    stream = io.StringIO()
    MergedLogs(["api", "uploader"], stream, raw=raw, colour=colour).line(part, text)
    return stream.getvalue()


@pytest.fixture
def root_logger() -> Iterator[None]:
    """The process's logger as it was, after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_every_line_has_the_name_of_its_part_in_a_column() -> None:
    assert shown("api", "hello") == "api      | hello\n"
    assert shown("uploader", "hello") == "uploader | hello\n"


def test_a_log_record_is_a_sentence() -> None:
    record = {
        "time": "2026-11-24T12:00:00.000+00:00",
        "level": "info",
        "part": "uploader",
        "event": "stored",
        "image": "42",
        "filename": "my harbour.jpg",
        "bytes": 12,
    }
    line = shown("uploader", json.dumps(record))
    assert line.endswith(':00:00 stored image=42 filename="my harbour.jpg" bytes=12\n')


def test_raw_lines_are_records_whatever_a_part_says() -> None:
    record = '{"event": "leased", "part": "image-task"}'
    assert shown("api", record, raw=True) == f"{record}\n"
    said = json.loads(shown("api", "Segmentation fault", raw=True))
    assert (said["part"], said["level"], said["event"]) == ("api", "info", "Segmentation fault")


def test_a_record_may_name_a_part_that_runs_below_another() -> None:
    assert shown("api", '{"event": "leased", "part": "image-task"}') == "image-task | leased\n"


def test_a_traceback_stands_below_with_the_same_prefix() -> None:
    record = {"event": "crashed", "level": "error", "traceback": "Traceback:\n  line 1\nValueError"}
    assert shown("api", json.dumps(record)) == (
        "api      | crashed\napi      | Traceback:\napi      |   line 1\napi      | ValueError\n"
    )


def test_raw_lines_stay_as_they_were_written() -> None:
    assert shown("api", '{"event": "leased"}', raw=True) == '{"event": "leased"}\n'


@pytest.mark.parametrize("text", ['{"event"', "{}", '{"no": "event"}', "[1]", "plain"])
def test_other_lines_than_records_stay_unchanged(text: str) -> None:
    assert shown("api", text) == f"api      | {text}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[32mgreen\x1b[0m", "green"),
        ("\x1b]0;title\x07text", "text"),
        ("bell\x07 back\x08 c1\x9b31m", "bell back c131m"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_a_terminal_is_given_no_orders(text: str, expected: str) -> None:
    assert clean(text) == expected
    assert expected in shown("api", json.dumps({"event": "stored", "filename": text}))


def test_the_level_is_a_colour_where_there_are_colours() -> None:
    assert "\x1b[31mcrashed\x1b[0m" in shown("api", '{"event": "crashed", "level": "error"}', colour=True)
    assert "\x1b" not in shown("api", '{"event": "crashed", "level": "error"}')


def test_a_terminal_that_went_away_is_no_reason_to_stop() -> None:
    stream = io.StringIO()
    output = MergedLogs(["api"], stream)
    stream.close()
    output.line("api", "nobody reads this")


@pytest.mark.usefixtures("root_logger")
def test_this_process_s_own_log_comes_out_as_a_part() -> None:
    stream = io.StringIO()
    output = MergedLogs(["up"], stream)
    output.log("up", "info")
    Log("imagomortis_cli.machine.up").info("ready", seconds=3)
    assert stream.getvalue().endswith("ready seconds=3\n")
    assert stream.getvalue().startswith("up | ")
