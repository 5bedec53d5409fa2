"""Reprocessing an hour by the command that the README prints, run in a pod."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests.cluster.installation import ROOT, Installation, until
from tests.pictures import photo

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def test_a_backfill_from_a_pod_reprocesses_an_hour(cold: Installation) -> None:
    """As documented in deploy/README.md; every picture of the hour has one more attempt, by the backfill's run."""
    ids = [cold.upload(photo(96, 64, seed=number)) for number in range(3)]
    cold.wait_done(ids, 60)
    cold.settle()
    ((hour,),) = cold.sql(
        f"SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD-HH24:00') FROM images WHERE id = '{ids[0]}'"
    )
    attempts = attempts_of(cold, ids)

    command = re.search(
        r"^kubectl (.*dagster job backfill .*)$", (ROOT / "deploy" / "README.md").read_text(), re.MULTILINE
    )
    assert command, "deploy/README.md prints the command"
    words = re.sub(r"\d{4}-\d\d-\d\d-\d\d:00", hour, command[1]).split()
    told = cold.kubectl(*[word for word in words if word not in {"--namespace", "imagomortis", "-n"}], seconds=120)
    assert "Launched" in told or "backfill" in told, told

    until(lambda: attempts_of(cold, ids) == [one + 1 for one in attempts], 120, lambda: cold.describe(ids))
    cold.wait_done(ids, 60)


def attempts_of(installation: Installation, ids: list[UUID]) -> list[int]:
    rows = dict(
        installation.sql(f"SELECT id, attempt FROM images WHERE id IN ({','.join(repr(str(one)) for one in ids)})")
    )
    return [int(rows[str(one)]) for one in ids]
