"""The nightly backup and the scripts around it, run here with programs of the tests in place of the cluster's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, base
from tests.support.waiting import wait_until

KUBECTL = """#!/bin/sh
# says what the scripts ask for, and runs here what they run in the pod
shift 2
case $1 in
    exec)
        while [ "$1" != -- ]; do shift; done
        shift
        for word; do
            shift
            set -- "$@" "$(printf %s "$word" | sed "s#/backups#$BACKUPS#g")"
        done
        exec "$@" ;;
    get) [ "$2" = cronjob ] && echo imagomortis:0.1.0 || echo 1 ;;
esac
"""

IMAGOMORTIS = """#!/bin/sh
# `backup FILE` writes what BYTES says, or never ends; `restore FILE` tells what it read
case $1 in
    backup)
        [ "${BYTES:-}" ] || { touch "${2%/*}/.${2##*/}.1234.partial"; exec sleep 60; }
        head -c "$BYTES" /dev/zero > "$2" ;;
    restore) shift; [ "$1" = --replace ] && shift; echo "restored $(cat "$1")" ;;
esac
"""

PYTHON = """#!/bin/sh
# `-m imagomortis_cli.upkeep.installation.backup FILE` does what `imagomortis backup FILE` does
[ "$1 $2" = "-m imagomortis_cli.upkeep.installation.backup" ] && exec imagomortis backup "$3"
"""

DF = """#!/bin/sh
# a claim of ROOM bytes
printf 'Avail\\n%s\\n' $((ROOM - $(cat "$BACKUPS"/imagomortis-* | wc -c)))
"""

PROGRAMS = {"kubectl": KUBECTL, "imagomortis": IMAGOMORTIS, "python": PYTHON, "df": DF}

DAY = 86_400


class Claim:
    """The claim `backups`, as a folder."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, and the programs that stand for the cluster's."""
        self.folder = folder / "claim"
        self._programs = folder / "programs"
        for each in (self.folder, self._programs):
            each.mkdir()
        for name, text in PROGRAMS.items():
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)

    def put(self, name: str, size: int = 10, age: float = 0) -> None:
        """Put a file there, so many seconds old."""
        (self.folder / name).write_bytes(bytes(size))
        os.utime(self.folder / name, (time.time() - age,) * 2)

    @property
    def names(self) -> list[str]:
        """What is there; those of 2025 are the tests'."""
        return sorted(re.sub(r"^imagomortis-(?!2025).*", "today", each.name) for each in self.folder.iterdir())

    def environment(self, **values: str) -> dict[str, str]:
        """The variables of a process that finds the programs."""
        return {"PATH": f"{self._programs}:{os.environ['PATH']}", "BACKUPS": str(self.folder), **values}

    def nightly(self, **values: str) -> subprocess.Popen[str]:
        """Begin the CronJob's command."""
        (container,) = base().pod("backup").main
        command = [word.replace("/backups", str(self.folder)) for word in container["command"]]
        return subprocess.Popen(command, env=self.environment(**values), text=True, stderr=subprocess.PIPE)

    def back_up(self, **values: str) -> None:
        """Let the CronJob's command make a backup."""
        with self.nightly(**values) as process:
            _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told

    def script(self, name: str, *words: str) -> str:
        """Run a script of deploy/ and return what it says."""
        command = [str(DEPLOY / name), *words]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    """A claim without backups."""
    return Claim(tmp_path)


def test_the_first_backup_finds_nothing_to_remove(claim: Claim) -> None:
    claim.back_up(ROOM="1000", BYTES="100")
    assert claim.names == ["today"]


def test_the_last_seven_stay_where_there_is_room(claim: Claim) -> None:
    for number in range(1, 9):
        claim.put(f"imagomortis-2025010{number}T032300Z.tar")
    claim.back_up(ROOM="1000", BYTES="10")
    assert claim.names == [*(f"imagomortis-2025010{number}T032300Z.tar" for number in range(3, 9)), "today"]


def test_a_claim_that_is_full_gets_room_before_the_backup_is_written(claim: Claim) -> None:
    for number in range(1, 6):
        claim.put(f"imagomortis-2025010{number}T032300Z.tar", size=100)
    claim.back_up(ROOM="500", BYTES="110")
    assert claim.names == [*(f"imagomortis-2025010{number}T032300Z.tar" for number in range(3, 6)), "today"]


def test_the_last_backup_is_never_removed(claim: Claim) -> None:
    claim.put("imagomortis-20250101T032300Z.tar", size=100)
    claim.put("imagomortis-20250102T032300Z.tar", size=100)
    claim.back_up(ROOM="150", BYTES="10")
    assert claim.names == ["imagomortis-20250102T032300Z.tar", "today"]


def test_files_of_killed_jobs_are_removed_after_a_day_and_no_others(claim: Claim) -> None:
    for name in (".imagomortis-20250101T032300Z.tar.{}.partial", "restoring-{}.part"):
        claim.put(name.format("old"), age=2 * DAY)
        claim.put(name.format("new"), age=DAY / 2)
    claim.put("my-backup.tar", age=90 * DAY)
    claim.back_up(ROOM="1000", BYTES="10")
    assert claim.names == [
        ".imagomortis-20250101T032300Z.tar.new.partial",
        "my-backup.tar",
        "restoring-new.part",
        "today",
    ]


def test_a_backup_that_is_told_to_end_ends_and_leaves_nothing(claim: Claim) -> None:
    with claim.nightly(ROOM="1000") as process:
        wait_until(lambda: claim.names)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert claim.names == []


def test_the_newest_backup_is_the_newest_of_the_nightly_ones(claim: Claim, tmp_path: Path) -> None:
    claim.put("imagomortis-20250101T032300Z.tar", size=1)
    claim.put("imagomortis-20250102T032300Z.tar", size=2)
    claim.put("zzz.tar", size=3)
    assert "imagomortis-20250102T032300Z.tar" in claim.script("fetch-backup", str(tmp_path / "copy.tar"))
    assert (tmp_path / "copy.tar").stat().st_size == 2


def test_a_backup_that_is_brought_to_the_claim_does_not_stay(claim: Claim, tmp_path: Path) -> None:
    file = tmp_path / "imagomortis-20250101T032300Z.tar"
    file.write_text("mine")
    claim.put(file.name)
    assert "restored mine" in claim.script("restore", "--replace", str(file))
    assert claim.names == [file.name]
    assert (claim.folder / file.name).read_bytes() == bytes(10)


def test_a_backup_of_the_claim_stays(claim: Claim) -> None:
    (claim.folder / "imagomortis-20250101T032300Z.tar").write_text("theirs")
    assert "restored theirs" in claim.script("restore", "imagomortis-20250101T032300Z.tar")
    assert claim.names == ["imagomortis-20250101T032300Z.tar"]
