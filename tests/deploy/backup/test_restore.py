"""What deploy/restore leaves when it ends, however it ends; its `kubectl` is a program of the tests."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY
from tests.support.waiting import wait_until

KUBECTL = """#!/bin/sh
# A cluster of files: the replicas of each Deployment, its annotation (NAME.before), and what was asked (asked).
shift 2
echo "$*" >> "$CLUSTER/asked"
named=${2#deployment/}
case $1 in
    get)
        [ "$2" = deployment ] || { echo imagomortis:0.1.0; exit; }
        [ -f "$CLUSTER/$3" ] || { echo "not found" >&2; exit 1; }
        echo "$(cat "$CLUSTER/$3") $(cat "$CLUSTER/$3.before" 2>/dev/null)" ;;
    scale)
        [ "$named=${3#*=}" != "${FAILING:-}" ] || { echo "cannot scale" >&2; exit 1; }
        echo "${3#*=}" > "$CLUSTER/$named" ;;
    annotate)
        case $* in
            *--overwrite*) echo "${4#*=}" > "$CLUSTER/${3#deployment/}.before" ;;
            *-) rm -f "$CLUSTER/$named.before" ;;
        esac ;;
    create) cat > /dev/null ;;
    exec) case "$*" in *"imagomortis restore"*) exec sleep "${RESTORING:-0}" ;; esac ;;
esac
"""

REPLICAS = {"uploader": "2", "api": "3", "pusher": "1", "scheduler": "1", "dagster-webserver": "0", "exporter": "1"}


class Cluster:
    """What `kubectl` talks of, as a folder."""

    def __init__(self, folder: Path) -> None:
        """Put the Deployments and the program there."""
        self._folder = folder
        for part, count in REPLICAS.items():
            (folder / part).write_text(count)
        (folder / "programs").mkdir()
        program = folder / "programs" / "kubectl"
        program.write_text(KUBECTL)
        program.chmod(0o755)

    @property
    def replicas(self) -> dict[str, str]:
        """How many there are of each part."""
        return {part: (self._folder / part).read_text().strip() for part in REPLICAS}

    @property
    def remembered(self) -> dict[str, str]:
        """The annotations."""
        return {path.stem: path.read_text().strip() for path in self._folder.glob("*.before")}

    @property
    def asked(self) -> list[str]:
        """The words of every call of `kubectl`, but for the namespace."""
        return (self._folder / "asked").read_text().splitlines()

    def restore(self, **values: str) -> subprocess.Popen[str]:
        """Begin a restore, in a process group of its own, as a terminal has one."""
        path = f"{self._folder / 'programs'}:{os.environ['PATH']}"
        return subprocess.Popen(
            # no signal is ignored from the beginning, as below nohup
            ["env", "--default-signal", str(DEPLOY / "restore"), "imagomortis-20250101T032300Z.tar"],
            env={"PATH": path, "CLUSTER": str(self._folder), **values},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def interrupted(self, number: int) -> int:
        """Begin a restore, and send it and what it runs a signal in the midst of it; return its exit status."""
        with self.restore(RESTORING="60") as process:
            wait_until(lambda: any("imagomortis restore" in call for call in self._calls()))
            assert set(self.replicas.values()) == {"0"}
            os.killpg(process.pid, number)
            return process.wait(60)

    def _calls(self) -> list[str]:
        return self.asked if (self._folder / "asked").exists() else []


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster in which everything works."""
    return Cluster(tmp_path)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status of a process, and what it says of errors."""
    with process:
        _, told = process.communicate(timeout=100)
    return process.returncode, told


def test_every_part_has_its_replicas_again_and_nothing_is_left(cluster: Cluster) -> None:
    assert ended(cluster.restore()) == (0, "")
    assert cluster.replicas == REPLICAS
    assert cluster.remembered == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_restore_that_is_told_to_end_starts_everything_again(cluster: Cluster, number: int) -> None:
    assert cluster.interrupted(number) == 128 + number
    assert cluster.replicas == REPLICAS
    assert cluster.remembered == {}


def test_a_restore_that_was_interrupted_ends_before_the_parts_start(cluster: Cluster) -> None:
    cluster.interrupted(signal.SIGTERM)
    gone = max(place for place, call in enumerate(cluster.asked) if call.startswith("delete pod backup-pod"))
    assert gone < cluster.asked.index("scale deployment/uploader --replicas=2")


def test_a_restore_repairs_what_a_killed_one_left(cluster: Cluster) -> None:
    cluster.interrupted(signal.SIGKILL)
    assert set(cluster.replicas.values()) == {"0"}
    assert ended(cluster.restore()) == (0, "")
    assert cluster.replicas == REPLICAS
    assert cluster.remembered == {}


def test_parts_started_by_hand_after_a_restore_count_as_they_are(cluster: Cluster, tmp_path: Path) -> None:
    cluster.interrupted(signal.SIGKILL)
    (tmp_path / "api").write_text("5")
    ended(cluster.restore())
    assert cluster.replicas == {**REPLICAS, "api": "5"}


def test_a_part_that_does_not_start_keeps_none_of_the_others_from_it(cluster: Cluster) -> None:
    status, told = ended(cluster.restore(FAILING="api=3"))
    assert status == 1
    assert "Not started: kubectl -n imagomortis scale deployment/api --replicas=3" in told
    assert cluster.replicas == {**REPLICAS, "api": "0"}
    assert cluster.remembered == {"api": "3"}
    assert ended(cluster.restore()) == (0, "")
    assert cluster.replicas == REPLICAS


def test_nothing_is_stopped_where_the_parts_cannot_be_looked_at(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "exporter").unlink()
    status, _ = ended(cluster.restore())
    assert status != 0
    assert [call for call in cluster.asked if call.startswith("scale")] == []


def test_runs_are_removed_once_the_scheduler_can_launch_no_more(cluster: Cluster) -> None:
    ended(cluster.restore())
    waits = [place for place, call in enumerate(cluster.asked) if "app.kubernetes.io/component=" in call]
    removed = cluster.asked.index("delete jobs --selector dagster/run-id --ignore-not-found")
    assert max(waits) < removed < cluster.asked.index("wait --for=delete pod --selector dagster/run-id --timeout=60s")
