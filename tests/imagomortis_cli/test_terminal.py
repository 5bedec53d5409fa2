"""What commands write: bars on a terminal only, results where a program can read them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from imagomortis_cli import terminal
from imagomortis_cli.terminal import Terminal

PROGRAM = """
from imagomortis_cli.terminal import Terminal

terminal = Terminal()
with terminal.progress("uploading", 3, "pictures") as advance:
    for number in range(3):
        advance(0.4)
        terminal.line(f"stored {number}")
        advance(0.6)
terminal.table(["ID", "NAME"], [["1", "a" * 300], ["2", "\\x1b[31mred\\r"]])
"""


def test_without_a_terminal_there_are_plain_lines_and_whole_tables() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["stored 0", "stored 1", "stored 2", "ID\tNAME", f"1\t{'a' * 300}", "2\tred"]
    assert done.stderr.splitlines() == ["uploading (3 pictures)", "uploading: done, 3 pictures"]


def test_on_a_terminal_there_is_a_bar_and_the_result_goes_where_it_should() -> None:
    """Standard output may be a file while the bar is on the terminal."""
    done, shown = _on_terminal(subprocess.PIPE)
    assert done.splitlines()[:3] == ["stored 0", "stored 1", "stored 2"]
    assert "uploading" in shown
    assert "3/3" in shown
    assert "stored" not in shown


def test_lines_and_bar_share_one_terminal() -> None:
    _, shown = _on_terminal(None)
    assert "stored 1" in shown
    assert "3/3" in shown
    assert "NAME" in shown
    assert "\x1b[31m" not in shown.partition("NAME")[2]


def test_a_result_as_json_is_nothing_but_that(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal(is_json=True)
    with out.progress("uploading", 3, "pictures") as advance:
        advance(3)
    out.line("a line")
    out.note("a note")
    out.document({"é": 1})
    written = capsys.readouterr()
    assert json.loads(written.out) == {"é": 1}
    assert written.err == ""


@pytest.mark.parametrize("number", [0, 1, 3])
def test_many_documents_are_one_array(capsys: pytest.CaptureFixture[str], number: int) -> None:
    Terminal(is_json=True).documents({"n": each} for each in range(number))
    assert json.loads(capsys.readouterr().out) == [{"n": each} for each in range(number)]


def test_progress_without_a_terminal_is_a_line_at_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    with Terminal().progress("uploading", 2000, "bytes") as advance:
        advance(1500)
    assert capsys.readouterr().err.splitlines() == [
        "uploading (2.0 kB)",
        "uploading: 1.5 kB of 2.0 kB",
        "uploading: done, 1.5 kB",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (3 * 86_400, "3 d"), (-5, "0 s")]
)
def test_times_are_told_in_their_largest_unit(seconds: float, words: str) -> None:
    assert terminal.duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(-100, "0 s"), (60, "1 min"), (7200, "2 h"), (3 * 86_400, "3 d")])
def test_an_age_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert terminal.age((datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()) == words


def _on_terminal(stdout: int | None) -> tuple[str, str]:
    """Run the program on a terminal of its own; return what it wrote to its standard output, if piped, and there."""
    near, far = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=far,
        stdout=far if stdout is None else stdout,
        stderr=far,
        env=environment,
        text=True,
    )
    os.close(far)
    shown = b""
    try:
        while data := os.read(near, 65_536):
            shown += data
    except OSError:  # what a terminal says when nobody is at its other end any more
        pass
    os.close(near)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return out or "", shown.decode()
