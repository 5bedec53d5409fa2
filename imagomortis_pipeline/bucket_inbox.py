"""The sensor that takes in the objects that other programs put into object stores. It works inside its tick."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Final

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from imagomortis.errors import ImagoMortisError
from imagomortis.logs import Log
from imagomortis_pipeline import resources
from imagomortis_pipeline.dagster_internals.trials import is_trial
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES

log = Log(__name__)

LOOK_SECONDS: Final = 20.0
"""A tick begins no further object after so long. Dagster ends a tick after a minute."""

TRIAL: Final = "A test takes nothing in. The daemon's ticks do that every few seconds."


@sensor(
    name="bucket_inbox",
    job_name=PROCESS_IMAGES,
    minimum_interval_seconds=1,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes objects of other programs out of the buckets that IMAGOMORTIS_INBOXES names. The cursor has the "
    "last name in each source; a source without one is about to be walked from its beginning.",
)
def bucket_inbox(context: SensorEvaluationContext) -> SkipReason:
    """Take in what is there, and tell how much."""
    if is_trial(context):
        return SkipReason(TRIAL)
    try:
        inboxes = resources.bucket_inboxes()
    except ImagoMortisError as error:
        _tell_once(error.detail)
        return SkipReason(error.detail)
    cursors, found = inboxes.look(json.loads(context.cursor or "{}"), time.monotonic() + LOOK_SECONDS)
    context.update_cursor(json.dumps(cursors))
    away = f" Not available right now: {', '.join(found.away)}." if found.away else ""
    return SkipReason(f"{found.stored} objects taken in, {found.refused} refused.{away}")


@cache
def _tell_once(problem: str) -> None:
    log.error("cannot open the inboxes", error=problem)
