"""What the webserver shows of an hour: counts, percentiles, failures with links, a sheet of thumbnails."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Final
from uuid import UUID

from dagster import MetadataValue
from PIL import Image

from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Failure
from imagomortis.lifecycle import State
from imagomortis.worker import Tally

SHEET_COLUMNS: Final = 6
SHEET_TILE: Final = 96
"""The sheet's columns, and the side of a tile in pixels."""

FAILURES: Final = 20
"""Failures that are listed; the page has them all."""


def metadata_of(catalog: Catalog, hour: datetime, tally: Tally, web_url: str) -> dict[str, MetadataValue]:
    """Return the metadata of a materialization: what this run did, and how the hour stands now."""
    span = (hour, hour + timedelta(hours=1))
    counts = catalog.queue.remaining(span)
    metadata: dict[str, MetadataValue] = {
        "images_done": MetadataValue.int(tally.done),
        "images_failed": MetadataValue.int(tally.failed),
        "attempts_to_repeat": MetadataValue.int(tally.retried),
        "hour": MetadataValue.json({state.value: counts.get(state, 0) for state in State}),
    }
    for percent in (50, 95, 99):
        if tally.seconds:
            metadata[f"seconds_p{percent}"] = MetadataValue.float(round(percentile(tally.seconds, percent), 4))
    if failures := catalog.queue.failures(span, FAILURES):
        metadata["failures"] = MetadataValue.md(_failures_list(failures, web_url))
    if thumbnails := catalog.queue.thumbnails(span, SHEET_COLUMNS * 4):
        metadata["thumbnails"] = MetadataValue.md(_sheet(thumbnails))
    return metadata


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
    """Return ``text`` without what Markdown or HTML would take for its own."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>()#!|" else letter for letter in text.replace("\n", " "))


def _sheet(thumbnails: Sequence[tuple[UUID, bytes]]) -> str:
    """Return a Markdown picture of the thumbnails, side by side."""
    rows = math.ceil(len(thumbnails) / SHEET_COLUMNS)
    columns = min(len(thumbnails), SHEET_COLUMNS)
    sheet = Image.new("RGB", (columns * SHEET_TILE, rows * SHEET_TILE), "white")
    for place, (_, data) in enumerate(thumbnails):
        # our own renditions, so they need no sandbox
        with Image.open(BytesIO(data), formats=["WEBP"]) as picture:
            tile = picture.convert("RGB")
        tile.thumbnail((SHEET_TILE - 4, SHEET_TILE - 4))
        left = place % SHEET_COLUMNS * SHEET_TILE + (SHEET_TILE - tile.width) // 2
        top = place // SHEET_COLUMNS * SHEET_TILE + (SHEET_TILE - tile.height) // 2
        sheet.paste(tile, (left, top))
    target = BytesIO()
    # the sheets are the largest thing in Dagster's database; as JPEG they would be three times as large
    sheet.save(target, "WEBP", quality=60)
    return f"![the newest pictures of the hour](data:image/webp;base64,{b64encode(target.getvalue()).decode()})"
