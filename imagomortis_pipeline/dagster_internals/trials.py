"""Recognises a trial, in which the webserver shows what a sensor or a schedule would do."""

from __future__ import annotations

from dagster import ScheduleEvaluationContext, SensorEvaluationContext


def is_trial(context: SensorEvaluationContext | ScheduleEvaluationContext) -> bool:
    """Whether "Test sensor" or "Test schedule" evaluates, and not the daemon.

    The log of a tick is named by the tick's number. A trial has no tick, so its log is named by the time.
    """
    key = context.log_key
    return key is not None and not key[-1].isdigit()
