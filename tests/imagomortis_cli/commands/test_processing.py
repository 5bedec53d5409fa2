"""`imagomortis status`, `pause` and `resume`."""

from __future__ import annotations

import json

from tests.imagomortis_cli.commands.conftest import Run, System
from tests.support import uploads


def test_the_status_tells_what_waits_and_what_it_takes(run: Run, system: System) -> None:
    with system.idle:
        system.catalog.queue.add(uploads.arrivals(3))
        stats = json.loads(run("status", "--json").out)
        assert stats["images"]["queued"] == 3
        lines = run("status").out.splitlines()
    assert lines[0] == system.origin
    facts = dict(line.split(maxsplit=1) for line in lines[1:])
    assert facts["images"] == "3: 0 done, 0 failed"
    assert facts["queue"].startswith("3 waiting, the oldest for ")
    assert facts["paused"] == "no"
    assert set(facts) == {"images", "queue", "rate", "workers", "paused", "storage", "database"}


def test_processing_is_paused_and_resumed(run: Run, system: System) -> None:
    assert run("pause").out.startswith("Processing is paused")
    assert system.catalog.control.paused_at() is not None
    assert json.loads(run("resume", "--json").out) == {"paused": False}
    assert system.catalog.control.paused_at() is None
