"""The lines of the embedded Postgres, as everyone's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg
import pytest

from imagomortis_cli.machine.postgres import embedded, json_log


def test_a_line_has_the_common_fields() -> None:
    line = json.loads(json_log.as_json("2026-11-24 21:50:46.123 UTC 42 22012 ERROR:  division by zero"))
    assert line == {
        "time": "2026-11-24T21:50:46.123+00:00",
        "level": "error",
        "part": "postgres",
        "event": "division by zero",
        "pid": 42,
        "code": "22012",
    }


@pytest.mark.parametrize("severity", json_log.LEVELS)
def test_every_severity_has_a_level(severity: str) -> None:
    line = json.loads(json_log.as_json(f"2026-11-24 21:50:46.123 UTC 42 00000 {severity}:  hello"))
    assert line["level"] == json_log.LEVELS[severity]
    assert "code" not in line


def test_a_line_of_another_kind_stays() -> None:
    assert json_log.as_json("Killed") == "Killed"


@pytest.mark.slow
def test_a_servers_log_holds_no_statement_and_no_row(tmp_path: Path) -> None:
    server = embedded.prepare(tmp_path, embedded.THROWAWAY)
    process = subprocess.Popen(server.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not server.answers():
            assert process.poll() is None
        with psycopg.connect(server.superuser_url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE things (name text UNIQUE CHECK (name <> 'CHECKED'))")
            connection.execute("INSERT INTO things VALUES ('TWICE')")
            for statement in (
                "INSERT INTO things VALUES ('TWICE')",
                "INSERT INTO things VALUES ('CHECKED')",
                "ALTER ROLE nobody PASSWORD 'SECRET'",
            ):
                with pytest.raises(psycopg.Error):
                    connection.execute(statement)
    finally:
        process.send_signal(embedded.STOP)
        text, _ = process.communicate(timeout=100)
    lines = [json.loads(json_log.as_json(line)) for line in text.splitlines()]
    assert {"error", "info"} <= {line["level"] for line in lines}
    assert not any(word in text for word in ("TWICE", "CHECKED", "SECRET", "INSERT"))
