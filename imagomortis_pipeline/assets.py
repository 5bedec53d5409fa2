"""The assets: the originals of each hour, and the renditions that are made from them."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import Final

from dagster import AssetCheckKey, AssetCheckSpec, AssetKey, AssetSpec, HourlyPartitionsDefinition, PreviewWarning

from imagomortis.spool.upload import hour_of

FIRST_HOUR: Final = datetime(2026, 1, 1, tzinfo=UTC)

HOURS: Final = HourlyPartitionsDefinition(start_date=FIRST_HOUR, end_offset=1)
"""One partition for each hour (UTC) in which images were created. The current hour is the last one."""

HOURS_A_RUN: Final = 180
"""Hours that one run of a backfill reprocesses. A month takes four runs."""

OWNERS: Final = ["team:imagomortis"]

CODE_VERSION: Final = "1"
"""The version of the code that makes renditions. Change it when a recipe, seed and original give other pixels."""

ORIGINALS: Final = AssetKey("originals")
RENDITIONS: Final = AssetKey("renditions")
ALL_DONE: Final = AssetCheckKey(RENDITIONS, "all_done")

originals: Final = AssetSpec(
    ORIGINALS,
    description="The images that people uploaded, by the hour. The pusher ingests them. They never change.",
    partitions_def=HOURS,
    group_name="pictures",
    kinds={"postgres"},
    owners=OWNERS,
    metadata={"dagster/table_name": "public.originals"},
)

renditions_spec: Final = AssetSpec(
    RENDITIONS,
    deps=[ORIGINALS],
    description="The outputs and the thumbnail of every image, made by its recipe.",
    partitions_def=HOURS,
    group_name="pictures",
    kinds={"python", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    metadata={"dagster/table_name": "public.renditions"},
    skippable=True,
)

with warnings.catch_warnings():
    # a check with partitions is a preview in Dagster, which warns about it in each process
    warnings.simplefilter("ignore", PreviewWarning)
    all_done: Final = AssetCheckSpec(
        ALL_DONE.name,
        asset=RENDITIONS,
        description="Every image of the hour is done. A warning while images are queued, an error if some failed.",
        partitions_def=HOURS,
    )


def partition_of(hour: datetime) -> str:
    """Return the partition key of an hour."""
    return hour.astimezone(UTC).strftime(HOURS.fmt)


def hour_of_partition(key: str) -> datetime:
    """Return the hour that a partition key names."""
    return datetime.strptime(key, HOURS.fmt).replace(tzinfo=UTC)


def known_hour(moment: datetime) -> datetime:
    """Return the hour of ``moment``, or the nearest partition if the clock of another host was wrong."""
    return hour_of(max(FIRST_HOUR, min(moment.astimezone(UTC), datetime.now(UTC))))
