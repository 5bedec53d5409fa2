"""The nightly backup, made now, and restored into an empty cluster by the documented command."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.install.test_installation import MOST_RESTARTS, restarts
from tests.whole_system.cluster.install.test_removal import apply_shuffled
from tests.whole_system.cluster.installation import ROOT, Installation

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_a_backup_restored_into_an_empty_cluster_has_everything(
    installation: Installation, tmp_path: Path, tell: Tell
) -> None:
    """Pictures, renditions, recipes, attempts and Dagster's runs are there again, and the system goes on."""
    pictures = installation.processed()
    before = contents(installation)

    on_the_claim(installation, "echo foreign > /backups/zzz.tar")
    installation.kubectl("delete", "job", "backup-now", "--ignore-not-found")
    installation.kubectl("create", "job", "backup-now", "--from=cronjob/backup")
    installation.kubectl("wait", "--for=condition=complete", "job/backup-now", "--timeout=300s", seconds=310)
    last = json.loads(installation.kubectl("logs", "job/backup-now", "--tail=1"))
    assert (last["part"], last["event"]) == ("backup", "written")
    file = tmp_path / "backup.tar"
    assert re.search(r"^imagomortis-\w+\.tar -> ", fetch(file)), "the newest of the nightly ones"

    installation.remove()
    seed = random.randrange(1_000_000)
    tell(f"applied to an empty cluster in the order of the seed {seed}")
    apply_shuffled(seed)
    installation.wait_for_secrets()
    installation.wait_until_ready()
    found = restarts(installation)
    assert max(found.values()) <= MOST_RESTARTS, found
    assert contents(installation)["images"] == "0"

    began = time.monotonic()
    done = subprocess.run(
        [str(ROOT / "deploy" / "restore"), str(file)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    installation.wait_until_ready()
    tell(f"restore of {before['images']} images: {time.monotonic() - began:.0f} s")

    assert contents(installation) == before
    assert "restoring" not in on_the_claim(installation, "ls -A /backups"), "the copy is gone"
    for image_id, data in pictures.items():
        assert installation.client.get(f"/api/images/{image_id}/original").content == data
    installation.wait_done([installation.upload(photo(128, 96, seed=77))])


def contents(installation: Installation) -> dict[str, str]:
    """Return counts and digests of everything that a backup holds."""
    (row,) = installation.sql(
        "SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM attempts), (SELECT count(*) FROM recipes), "
        "(SELECT md5(string_agg(md5(bytes), '' ORDER BY image_id)) FROM originals), "
        "(SELECT md5(string_agg(md5(bytes), '' ORDER BY image_id, kind)) FROM renditions)"
    )
    ((runs,),) = installation.sql("SELECT count(*) FROM runs", "imagomortis_dagster")
    return dict(zip(("images", "attempts", "recipes", "originals", "renditions"), row, strict=True), runs=runs)


def on_the_claim(installation: Installation, command: str) -> str:
    """Run a command beside the backups, as deploy/fetch-backup does, and return what it prints."""
    installation.kubectl("delete", "pod", "backup-pod", "--ignore-not-found")
    installation.kubectl("create", "-f", str(ROOT / "deploy" / "backup-pod.yaml"))
    try:
        installation.kubectl("wait", "--for=condition=Ready", "pod/backup-pod", "--timeout=110s")
        return installation.kubectl("exec", "backup-pod", "--", "sh", "-c", command)
    finally:
        installation.kubectl("delete", "pod", "backup-pod")


def fetch(file: Path) -> str:
    """Copy the newest backup out of the cluster, by the documented command; return what it tells."""
    done = subprocess.run(
        [str(ROOT / "deploy" / "fetch-backup"), str(file)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.stat().st_size > 0
    return done.stdout
