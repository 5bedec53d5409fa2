"""Programs that are started as somebody else, and the choice of whom Postgres runs as."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from imagomortis.errors import ConfigurationError
from imagomortis_cli.machine.postgres import embedded, identity
from imagomortis_cli.machine.processes import launch
from imagomortis_cli.machine.processes.launch import Identity

NOBODY = pwd.getpwnam("nobody")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def run(*argv: str, who: Identity | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(launch.command(argv, identity=who), capture_output=True, text=True, check=False)


def test_runs_a_program_as_it_is() -> None:
    done = run("/bin/sh", "-c", 'echo "$1"; id -u; exit 3', "sh", "a b")
    assert (done.returncode, done.stdout) == (3, f"a b\n{os.geteuid()}\n")


def test_a_program_that_is_not_there_is_said_so() -> None:
    done = run("/no/such/program")
    assert done.returncode == 127
    assert "/no/such/program" in done.stderr


@root
def test_root_becomes_another_user() -> None:
    done = run("/bin/sh", "-c", "id -u; id -G; touch /etc/imagomortis", who=Identity(NOBODY.pw_uid, NOBODY.pw_gid))
    assert done.stdout == f"{NOBODY.pw_uid}\n{NOBODY.pw_gid}\n"
    assert "Permission denied" in done.stderr


def test_the_error_names_missing_rights_to_become_another_user() -> None:
    """In a namespace of its own even root is alone."""
    alone = Identity(os.geteuid(), os.getegid(), namespace=True)
    inner = launch.command(["/bin/true"], identity=Identity(NOBODY.pw_uid, NOBODY.pw_gid))
    done = run("/bin/sh", "-c", '"$@"', "sh", *inner, who=alone)
    assert done.returncode == 126
    assert "user:" in done.stderr


@root
def test_in_a_namespace_root_has_another_number_and_the_same_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "mine").write_text("hello")
    (tmp_path / "mine").chmod(0o600)
    done = run("/bin/sh", "-c", 'id -u; cat "$1"', "sh", str(tmp_path / "mine"), who=Identity(1, 1, namespace=True))
    assert done.stdout == "1\nhello"


def test_an_identity_survives_its_way_through_the_command_line() -> None:
    for who in (Identity(1, 2), Identity(3, 4, namespace=True)):
        assert Identity.parse(str(who)) == who
    assert Identity.parse("present") is None


def test_the_owner_of_the_data_stays_its_owner(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    who = identity.choose(data, embedded.binary("postgres"))
    assert who is None if os.geteuid() else who is not None and who.namespace


@root
def test_root_without_namespaces_and_without_another_user_is_told_what_to_do(tmp_path: Path) -> None:
    """In a namespace that allows no further ones, and in which there is nobody but root."""
    program = (
        "from pathlib import Path\n"
        "from imagomortis_cli.machine.postgres import embedded\n"
        "Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        f"try: embedded.prepare(Path({str(tmp_path)!r}))\n"
        "except embedded.ConfigurationError as error: print(error.detail)\n"
    )
    done = run(sys.executable, "-c", program, who=Identity(0, 0, namespace=True))
    assert "Postgres does not run as root" in done.stdout, done.stderr
    assert "DATABASE_URL" in done.stdout


@root
def test_a_user_is_told_that_the_data_are_somebody_else_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        identity.choose(data, embedded.binary("postgres"))
