"""The image task: the asset ``renditions``, made by one op that leases queued images and processes them.

Runs that the pusher asked for have the tag ``imagomortis/worker`` and only drain the queue. Every other run (a
backfill, the webserver, the command line) names one hour or a range of hours. It puts the finished images of each hour
back into the queue, once for its run id, and drains that hour.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetSelection,
    BackfillPolicy,
    Failure,
    InitResourceContext,
    define_asset_job,
    multi_asset,
    resource,
)

from imagomortis import logs, traces
from imagomortis.catalog import Catalog
from imagomortis.picture.header import Limits
from imagomortis.sandbox.confinement import hide
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.settings import Settings
from imagomortis.work.worker import CONNECTIONS, HourStatistics, Terms, Worker
from imagomortis.work.worker_count import standby_workers
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import (
    HOURS_A_RUN,
    RENDITIONS,
    all_done,
    hour_of_partition,
    partition_of,
    renditions_spec,
)
from imagomortis_pipeline.dagster_internals.run_log import PART
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from imagomortis_pipeline.image_task.report import DrawSheet, check_of, metadata_of

PROCESS_IMAGES: Final = "process_images"

NO_PARTITION: Final = (
    "This run names no hour, so there is nothing to process. Choose a partition in the webserver, or give one on the "
    "command line: dagster job backfill -w workspace.yaml -j process_images --partitions 2026-11-24-09:00 --noprompt, "
    'or dagster job launch -w workspace.yaml -j process_images --tags \'{"dagster/partition": "2026-11-24-09:00"}\'.'
)

_HOUR_TAGS: Final = {"dagster/partition", "dagster/asset_partition_range_start"}


@resource
def named_hours(context: InitResourceContext) -> None:
    """Fail a run that names no hour.

    A check in the op would be too late: before it, Dagster looks up the originals of the run's hours.
    """
    if context.run is not None and not _HOUR_TAGS & context.run.tags.keys():
        raise Failure(NO_PARTITION, allow_retries=False)


# can_subset makes the outputs optional: the op itself logs a materialization and a check for each hour that it touched
@multi_asset(
    name="renditions",
    specs=[renditions_spec],
    check_specs=[all_done],
    can_subset=True,
    backfill_policy=BackfillPolicy.multi_run(HOURS_A_RUN),
    required_resource_keys={"named_hours"},
)
def renditions(context: AssetExecutionContext) -> Iterator[Any]:
    """Process images until none is left, and report on every hour that was touched."""
    settings = resources.settings()
    logs.configure(PART, settings.log_level)
    traces.configure(PART, settings.traces_url)
    hide(settings)
    hours = _hours(context)
    tag = context.run.tags.get(WORKER_TAG)
    limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.max_side)
    with (
        resources.new_catalog(CONNECTIONS) as catalog,
        Sandbox(limits, settings.sandbox_memory_bytes, settings.sandbox_seconds) as sandbox,
    ):
        worker = Worker(catalog, sandbox, UUID(tag) if tag else uuid4(), context.run.run_id, _terms(settings))
        finished: list[datetime] = []
        try:
            for hour in hours:
                if tag is None:
                    if moved := catalog.images.reprocess_once(context.run.run_id, hour):
                        context.log.info(f"{moved} images of {partition_of(hour)} go through the queue again.")
                    worker.drain_hour(hour)
                else:
                    worker.drain(hour)
                finished.append(hour)
        finally:
            # a backfill counts an hour as done when it is reported, even if the hour has no images
            statistics = {**dict.fromkeys(finished, HourStatistics()), **worker.statistics}
            _report(context, catalog, statistics, _web_url(settings), sandbox.sheet)
            traces.flush()
    yield from ()


process_images = define_asset_job(
    PROCESS_IMAGES,
    selection=AssetSelection.assets(RENDITIONS),
    description="Processes queued images. A run started by hand or by a backfill processes its hour again.",
)


def _hours(context: AssetExecutionContext) -> list[datetime]:
    """Return the hours that the run names: one, or a range."""
    return [hour_of_partition(key) for key in context.partition_keys]


def _terms(settings: Settings) -> Terms:
    return Terms(
        settings.lease_batch,
        settings.lease_seconds,
        settings.linger_seconds,
        settings.images_per_job,
        settings.worker_seconds,
        standby_workers(settings),
    )


def _web_url(settings: Settings) -> str:
    return settings.web_url or f"http://localhost:{settings.web_port}"


def _report(
    context: AssetExecutionContext,
    catalog: Catalog,
    statistics: Mapping[datetime, HourStatistics],
    web_url: str,
    draw_sheet: DrawSheet,
) -> None:
    """Log a materialization and a check for every hour that was touched."""
    for hour, of_hour in sorted(statistics.items()):
        partition = partition_of(hour)
        metadata = metadata_of(catalog, hour, of_hour, web_url, draw_sheet)
        context.log_event(AssetMaterialization(RENDITIONS, partition=partition, metadata=metadata))
        context.log_event(check_of(catalog, hour))
