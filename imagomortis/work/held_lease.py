"""Tracks the lease that a worker holds: which of its images are not finished, and which have not begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from imagomortis.catalog.queue import Lease

PAUSE_SECONDS: Final = 1.0
"""How often a worker checks for a pause while leased images wait behind a slow one."""


class HeldLease:
    """The images of the current lease that are neither saved nor given back; the worker's two threads share it."""

    def __init__(self) -> None:
        """Begin without a lease."""
        self._lock = threading.Lock()
        self._token: UUID | None = None
        self._ids: set[UUID] = set()
        self._begun: set[UUID] = set()
        self._looked = time.monotonic()

    def take(self, lease: Lease) -> None:
        """Replace the former lease by a new one."""
        with self._lock:
            self._token, self._ids = lease.token, {image.id for image in lease.images}
            self._begun, self._looked = set(), time.monotonic()

    def has(self, image_id: UUID) -> bool:
        """Whether the image is still held."""
        with self._lock:
            return image_id in self._ids

    def begin(self, image_id: UUID) -> bool:
        """Note that the image is being processed; return whether it is still held."""
        with self._lock:
            if image_id not in self._ids:
                return False
            self._begun.add(image_id)
            return True

    def is_kept_waiting(self) -> bool:
        """Whether images wait behind another one; True at most once in PAUSE_SECONDS."""
        with self._lock:
            if time.monotonic() - self._looked < PAUSE_SECONDS:
                return False
            self._looked = time.monotonic()
            return bool(self._ids - self._begun)

    def drop_waiting(self) -> tuple[UUID | None, list[UUID]]:
        """Forget the images whose processing has not begun; return the lease's token and these images."""
        with self._lock:
            waiting = self._ids - self._begun
            self._ids &= self._begun
            return self._token, list(waiting)

    def put_back(self, ids: Sequence[UUID]) -> None:
        """Hold the images again."""
        with self._lock:
            self._ids |= set(ids)

    def drop(self, image_id: UUID) -> None:
        """Forget an image that is done, failed or gone."""
        with self._lock:
            self._ids.discard(image_id)

    def drop_all(self) -> list[UUID]:
        """Forget every image, and return them."""
        with self._lock:
            ids, self._ids = list(self._ids), set()
            return ids

    def now(self) -> tuple[UUID | None, list[UUID]]:
        """Return the lease's token and the images that are held."""
        with self._lock:
            return self._token, list(self._ids)

    def keep(self, token: UUID, asked: Sequence[UUID], kept: set[UUID]) -> None:
        """Forget the images whose lease was lost because they were deleted or edited, or because it expired.

        A renewal of a former lease changes nothing: the images may be leased again since.
        """
        with self._lock:
            if token == self._token:
                self._ids -= set(asked) - kept
