"""Other task queues are measured each for itself, and the one that is not installed is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.rivals import queues


def test_without_redis_the_other_is_measured_and_celery_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(queues.present()) == ["procrastinate"]
    assert queues.missing() == (
        "Celery with Redis was not measured. "
        "Install the program redis-server (on Debian: apt-get install redis-server)."
    )


def test_nothing_is_missing_where_both_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(queues.present()) == ["Celery with Redis", "procrastinate"]
    assert queues.missing() == ""
