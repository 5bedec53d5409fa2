"""Reprocessing an hour by the command that the README prints, run in a pod."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests.whole_system.cluster.installation import ROOT, Installation, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

HOUR = "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD-HH24:00')"


def test_a_backfill_from_a_pod_reprocesses_an_hour(installation: Installation) -> None:
    """As documented in deploy/README.md; every picture of the hour is tried once more at least."""
    installation.processed()
    ((hour,),) = installation.sql(f"SELECT max({HOUR}) FROM images WHERE deleted_at IS NULL")
    attempts = attempts_of(installation, hour)

    command = re.search(
        r"^kubectl (.*dagster job backfill .*)$", (ROOT / "deploy" / "README.md").read_text(), re.MULTILINE
    )
    assert command, "deploy/README.md prints the command"
    words = re.sub(r"\d{4}-\d\d-\d\d-\d\d:00", hour, command[1]).split()
    told = installation.kubectl(*[word for word in words if word not in {"--namespace", "imagomortis", "-n"}])
    assert "Launched" in told or "backfill" in told, told

    def are_tried_again() -> bool:
        now = attempts_of(installation, hour)
        return all(now[image_id] > attempt for image_id, attempt in attempts.items())

    until(are_tried_again, 300, lambda: f"{attempts} are tried again; {installation.describe(attempts)}")
    installation.wait_done(attempts)


def attempts_of(installation: Installation, hour: str) -> dict[UUID, int]:
    """Return how often each picture of an hour was tried."""
    rows = installation.sql(f"SELECT id, attempt FROM images WHERE {HOUR} = '{hour}' AND deleted_at IS NULL")
    return {UUID(image_id): int(attempt) for image_id, attempt in rows}
