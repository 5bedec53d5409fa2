"""Replaces step logs by links to Grafana, because Loki has the lines of all pods in the cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlencode

from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from imagomortis.settings import Settings

BEFORE_SECONDS: Final = 60
"""The linked lines begin so long before a step starts, because the clocks of two nodes may differ."""


class GrafanaLinks(NoOpComputeLogManager):
    """Links each step to its run's lines if Grafana's address is set; set as `compute_logs`."""

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Capture nothing, and yield the link."""
        grafana, run_id = Settings.read().grafana_url, log_key[0]
        link = link_to_run(grafana, run_id, time.time() - BEFORE_SECONDS) if grafana else None
        yield CapturedLogContext(log_key=log_key, external_url=link)


def link_to_run(grafana: str, run_id: str, since: float) -> str:
    """Return the address of the dashboard of logs that shows a run's lines, from a time in seconds on."""
    query = {"var-search": run_id, "from": int(since * 1000), "to": "now"}
    return f"{grafana}/d/imagomortis-logs?{urlencode(query)}"
