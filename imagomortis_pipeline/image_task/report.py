"""Reports on an hour to the webserver: counts, percentiles, failures with links, a sheet of thumbnails."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from dagster import AssetCheckEvaluation, AssetCheckSeverity, MetadataValue

from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Failure
from imagomortis.errors import AttemptFailed, RefusedPicture, Unavailable
from imagomortis.lifecycle import State
from imagomortis.logs import Log
from imagomortis.picture import sheet
from imagomortis.work.worker import HourStatistics
from imagomortis_pipeline.assets import ALL_DONE, partition_of

FAILURES: Final = 20
"""The most failures that are listed. The page lists all of them."""

log = Log(__name__)

DrawSheet = Callable[[Sequence[bytes]], bytes]


def metadata_of(
    catalog: Catalog, hour: datetime, statistics: HourStatistics, web_url: str, draw_sheet: DrawSheet
) -> dict[str, MetadataValue]:
    """Return the metadata of a materialization: what this run did, and the current states of the hour's images.

    ``draw_sheet`` does the same as ``sheet.draw`` in a sandbox, because a compromised decoder may have made the
    thumbnails. If it fails, the report has no sheet.
    """
    span = (hour, hour + timedelta(hours=1))
    counts = catalog.queue.remaining(span)
    metadata: dict[str, MetadataValue] = {
        "images_done": MetadataValue.int(statistics.done),
        "images_failed": MetadataValue.int(statistics.failed),
        "attempts_to_repeat": MetadataValue.int(statistics.retried),
        "dagster/partition_row_count": MetadataValue.int(sum(counts.values())),
        "hour": MetadataValue.json({state.value: counts.get(state, 0) for state in State}),
    }
    for percent in (50, 95, 99):
        if statistics.seconds:
            metadata[f"seconds_p{percent}"] = MetadataValue.float(round(percentile(statistics.seconds, percent), 4))
    if failures := catalog.queue.failures(span, FAILURES):
        metadata["failures"] = MetadataValue.md(_failures_list(failures, web_url))
    try:
        if thumbnails := catalog.queue.thumbnails(span, sheet.MOST):
            metadata["thumbnails"] = MetadataValue.md(_markdown(draw_sheet([data for _, data in thumbnails])))
    except (AttemptFailed, RefusedPicture, Unavailable) as error:
        log.warning("no sheet of thumbnails", hour=hour, error=error.detail)
    return metadata


def check_of(catalog: Catalog, hour: datetime) -> AssetCheckEvaluation:
    """Evaluate whether every image of an hour is done: a warning while some are queued, an error if some failed."""
    counts = catalog.queue.remaining((hour, hour + timedelta(hours=1)))
    unfinished = {state.value: counts[state] for state in State if state is not State.DONE and counts.get(state)}
    return AssetCheckEvaluation(
        ALL_DONE.asset_key,
        ALL_DONE.name,
        passed=not unfinished,
        severity=AssetCheckSeverity.ERROR if counts.get(State.FAILED) else AssetCheckSeverity.WARN,
        partition=partition_of(hour),
        metadata=unfinished,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of ``values`` that at least ``percent`` of them do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def _failures_list(failures: Sequence[Failure], web_url: str) -> str:
    return "\n".join(
        f"- [{_plain(failure.filename)}]({web_url}/api/images/{failure.id}/info): {_plain(failure.error)}"
        for failure in failures
    )


def _plain(text: str) -> str:
    """Escape the characters that Markdown or HTML would interpret."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>()#!|" else letter for letter in text.replace("\n", " "))


def _markdown(drawn: bytes) -> str:
    return f"![the newest pictures of the hour](data:image/webp;base64,{b64encode(drawn).decode()})"
