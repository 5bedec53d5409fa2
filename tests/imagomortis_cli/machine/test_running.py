"""The settings of a running system are found from a shell that knows only its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from imagomortis import storage
from imagomortis.settings import Settings
from imagomortis_cli.machine import home, running, stack
from imagomortis_cli.machine.stack import Databases

HOLD = """
import sys, time
from pathlib import Path
from imagomortis_cli.machine import home
with home.hold(Path(sys.argv[1])) as holder:
    home.tell(holder, {})
    print("held", flush=True)
    time.sleep(60)
"""

STARTED_WITH = {"IMAGOMORTIS_MAX_WORKERS": "7", "IMAGOMORTIS_SPOOL": "/elsewhere", "IMAGOMORTIS_DATABASE": "not ours"}


@pytest.fixture(autouse=True)
def _no_database_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A home that another process holds, started with settings of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], env={**os.environ, **STARTED_WITH}, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    yield tmp_path
    process.kill()
    process.wait()
    process.stdout.close()


def test_its_secrets_are_found_in_files_that_only_its_user_can_read(held: Path) -> None:
    where = Databases("postgresql://me:hunter2@db/pictures", "postgresql://db/runs", None)
    given = held / "given"
    given.mkdir()
    (given / "AWS_ACCESS_KEY_ID").write_text("of-the-store\n")
    token = SecretStr("of-sixteen-letters-and-more")
    settings = Settings(home=held, token=token, storage="s3://bucket/prefix", secrets=given)
    (held / stack.SECRETS).mkdir()
    (held / stack.SECRETS / "IMAGOMORTIS_TOKEN").write_text("that-of-an-earlier-start")
    stack.write_secrets(held / stack.SECRETS, stack.own_secrets(settings, where))
    stack.write_variables(held / stack.VARIABLES, stack.own_variables(settings, where))

    noted = (held / stack.VARIABLES).read_text()
    assert "hunter2" not in noted
    assert "of-sixteen" not in noted
    assert {path.stat().st_mode & 0o777 for path in (held / stack.SECRETS).iterdir()} == {0o600}
    found = running.settings_of(Settings.read(home=held))
    assert (found.conninfo, found.required_token) == (where.catalog, "of-sixteen-letters-and-more")
    found = found.model_copy(update={"storage": settings.storage})
    assert storage.credentials(found, found.storage) == {"AWS_ACCESS_KEY_ID": "of-the-store"}


@pytest.mark.parametrize("named", ["", "postgresql:///pictures"])
def test_they_are_those_that_it_was_started_with(held: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = Databases("postgresql:///pictures", "postgresql:///runs", None)
    settings = Settings(home=held)
    stack.write_variables(held / stack.VARIABLES, stack.own_variables(settings, where))
    if named:  # as in a shell that read its variables
        monkeypatch.setenv("DATABASE_URL", named)
    found = running.settings_of(Settings.read(home=held))
    assert (found.max_workers, str(found.spool), found.conninfo) == (7, "/elsewhere", "postgresql:///pictures")
    assert home.is_held(held)


def test_a_database_that_this_shell_names_comes_first(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///others")
    given = Settings.read(home=held)
    assert running.settings_of(given) is given


def test_where_nothing_runs_they_are_those_of_this_shell(tmp_path: Path) -> None:
    given = Settings(home=tmp_path)
    assert running.settings_of(given) is given
    assert not home.is_held(tmp_path)
