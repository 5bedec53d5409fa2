"""The dashboards: logs by part, the life of one image, failures by cause, queue and throughput."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard
from panels import board, figure, levels, log_series, log_table, series, text_box

PARTS: Final = {
    "uploader": "Checks pictures and stores them in the spool.",
    "pusher": "Moves the spool's entries into Postgres and asks for workers.",
    "scheduler": "Dagster's daemon: admits runs, evaluates schedules.",
    "image-task": "Leases pictures and applies their recipes.",
    "api": "Lists, serves, edits, retries, deletes.",
    "webui": "The page, and what comes through it.",
    "dagster-webserver": "Runs, assets, backfills.",
    "postgres": "The database of catalog and bytes, and that of Dagster.",
    "exporter": "The pipeline's metrics.",
}
"""What has a table of its own."""


def logs() -> dashboard.Dashboard:
    """Return one table of logs for each part."""
    found = board("logs", "Logs by part", "The newest log lines of every part, one table a part.")
    found.with_variable(levels()).with_variable(text_box("search", "Search"))
    found.with_panel(
        log_series(
            "Lines by part",
            {
                "{{part}}": 'sum by (part) (count_over_time({job="imagomortis", level=~"$level"} '
                '|~ "(?i)$search" [$__auto]))'
            },
            span=24,
        )
    )
    for part, text in PARTS.items():
        query = f'{{job="imagomortis", part="{part}", level=~"$level"}} |~ "(?i)$search"'
        found.with_panel(log_table(part, query, text, without=["part"]))
    rest = "|".join(PARTS)
    found.with_panel(
        log_table("everything else", f'{{job="imagomortis", part!~"{rest}", level=~"$level"}} |~ "(?i)$search"')
    )
    return found


def image() -> dashboard.Dashboard:
    """Return the life of one image across all parts."""
    found = board("image", "Life of an image", "What every part wrote of one picture.", since="now-24h")
    found.with_variable(text_box("image", "Image id"))
    found.with_panel(
        log_table(
            "From the upload to the result",
            '{job="imagomortis"} | image="$image"',
            "stored by the uploader, queued by the pusher, processed or failed by an image task",
            height=14,
            without=["image"],
        )
    )
    found.with_panel(
        log_table("Its failed attempts", '{job="imagomortis", part="image-task"} | image="$image" | event="failed"')
    )
    found.with_panel(
        log_table(
            "What was asked for it",
            '{job="imagomortis", part=~"api|webui"} |= "$image"',
            "requests that name it, and what was done to many by their ids: deleted, restored, edited, retried",
        )
    )
    return found


def failures() -> dashboard.Dashboard:
    """Return what failed, and why."""
    found = board(
        "failures",
        "Failures by cause",
        "Attempts that failed, files that were refused, faults of parts.",
        since="now-6h",
    )
    failed = '{job="imagomortis", part="image-task"} | event="failed"'
    refused = '{job="imagomortis", part="uploader"} | event=~"refused|rejected"'
    found.with_panel(
        log_series("Failed attempts by cause", {"{{kind}}": f"sum by (kind) (count_over_time({failed} [$__auto]))"})
    )
    found.with_panel(
        log_series("Refused files by cause", {"{{kind}}": f"sum by (kind) (count_over_time({refused} [$__auto]))"})
    )
    found.with_panel(
        series(
            "Share of attempts that fail",
            {
                "failed or lost": 'sum(rate(imagomortis_attempts_total{outcome!="done"}[5m])) '
                "/ sum(rate(imagomortis_attempts_total[5m]))"
            },
            unit="percentunit",
        )
    )
    found.with_panel(
        log_series(
            "Errors by part",
            {"{{part}}": 'sum by (part) (count_over_time({job="imagomortis", level=~"error|critical"} [$__auto]))'},
        )
    )
    found.with_panel(log_table("Failed attempts", failed, "The image's id leads to its life in the dashboard beside."))
    found.with_panel(log_table("Refused files", refused))
    found.with_panel(log_table("Errors of parts", '{job="imagomortis", level=~"error|critical"}'))
    return found


def queue() -> dashboard.Dashboard:
    """Return the queue, the throughput and the stores."""
    found = board("queue", "Queue and throughput", "How much waits, how fast it goes, and what it costs.")
    for title, query, unit, text in (
        ("Waiting", "imagomortis_queue_images", "short", "Images that wait to be processed."),
        (
            "Oldest waits",
            "imagomortis_queue_oldest_seconds",
            "s",
            "Since its upload; while images are processed again, since the last attempt ended.",
        ),
        ("Image tasks", "imagomortis_workers_alive", "short", "That run or were asked for."),
        (
            "Last sensor tick",
            'min(imagomortis_tick_age_seconds{kind="sensor"})',
            "s",
            "A healthy pusher ticks each 20 s.",
        ),
        ("Failed images", 'imagomortis_images{state="failed"}', "short", "After the third attempt."),
        ("Paused", "imagomortis_paused", "bool_yes_no", "`imagomortis resume` goes on."),
    ):
        found.with_panel(figure(title, query, text, unit=unit))
    found.with_panel(
        series(
            "Throughput",
            {
                "{{outcome}}": "sum by (outcome) (rate(imagomortis_attempts_total[1m]))",
                "uploaded": 'sum(rate(imagomortis_uploads_total{outcome="stored"}[1m]))',
            },
            "Images a second.",
            unit="ops",
        )
    )
    found.with_panel(series("Images by state", {"{{state}}": 'imagomortis_images{state!="done"}'}))
    found.with_panel(
        series(
            "Image tasks",
            {
                "wanted": "imagomortis_workers_wanted",
                "alive": "imagomortis_workers_alive",
                "limit": "imagomortis_workers_limit",
            },
        )
    )
    found.with_panel(
        series(
            "Seconds of an attempt",
            {
                f"p{percent}": f"histogram_quantile({percent / 100}, "
                "sum by (le) (rate(imagomortis_attempt_seconds_bucket[5m])))"
                for percent in (50, 95, 99)
            },
            unit="s",
        )
    )
    found.with_panel(
        series(
            "Seconds of a transform, 95th percentile",
            {
                "{{transform}}": "histogram_quantile(0.95, "
                "sum by (le, transform) (rate(imagomortis_transform_seconds_bucket[5m])))"
            },
            unit="s",
        )
    )
    found.with_panel(series("Ticks", {"{{name}}": "imagomortis_tick_age_seconds"}, "Seconds since the last.", unit="s"))
    found.with_panel(series("Spool", {"entries that wait for the pusher": "imagomortis_spool_ready_entries"}))
    found.with_panel(
        series(
            "Dagster's runs", {"{{status}}": 'imagomortis_dagster_runs{status=~"queued|starting|started|canceling"}'}
        )
    )
    found.with_panel(
        series(
            "Bytes in Postgres",
            {
                "{{kind}}": "imagomortis_storage_bytes",
                "catalog": "imagomortis_catalog_database_bytes",
                "Dagster": "imagomortis_dagster_database_bytes",
                "Dagster's event log": "imagomortis_dagster_event_log_bytes",
            },
            unit="bytes",
        )
    )
    found.with_panel(
        series(
            "Connections of Postgres",
            {"used": "imagomortis_postgres_connections", "limit": "imagomortis_postgres_connections_limit"},
        )
    )
    found.with_panel(
        series(
            "Requests of the API, by status",
            {"{{status}}": "sum by (status) (rate(imagomortis_api_requests_total[1m]))"},
            unit="reqps",
        )
    )
    found.with_panel(
        series(
            "Seconds of a request, 95th percentile",
            {
                "{{route}}": "histogram_quantile(0.95, "
                "sum by (le, route) (rate(imagomortis_api_request_seconds_bucket[5m])))",
                "upload": "histogram_quantile(0.95, sum by (le) (rate(imagomortis_upload_seconds_bucket[5m])))",
            },
            unit="s",
        )
    )
    return found


ALL: Final = {"logs": logs, "image": image, "failures": failures, "queue": queue}
