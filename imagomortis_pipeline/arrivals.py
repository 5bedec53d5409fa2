"""Collects the new images of the pusher until it reports them to Dagster as events of the asset ``originals``."""

from __future__ import annotations

import threading
from datetime import datetime

from dagster import AssetMaterialization

from imagomortis.spool.upload import Upload
from imagomortis_pipeline.assets import ORIGINALS, known_hour, partition_of


class Arrivals:
    """New images by their hour; several threads use it."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._sizes: dict[datetime, list[int]] = {}

    def add(self, upload: Upload) -> None:
        """Add a new image."""
        with self._lock:
            self._sizes.setdefault(known_hour(upload.created_at), []).append(upload.size)

    def take(self) -> list[AssetMaterialization]:
        """Return an event for each hour with new images, and forget them."""
        with self._lock:
            sizes, self._sizes = self._sizes, {}
        return [
            AssetMaterialization(
                ORIGINALS, partition=partition_of(hour), metadata={"images": len(each), "bytes": sum(each)}
            )
            for hour, each in sorted(sizes.items())
        ]
