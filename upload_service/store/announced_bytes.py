"""Counts the bytes that clients have announced but not sent yet, so that the disk keeps its reserve."""

from __future__ import annotations

import threading

from imagomortis.spool.any_spool import AnySpool, AnyUploads
from upload_service.body import Body


class Promises:
    """Refuses an upload if its bytes, and all other announced ones, would use the disk's reserve."""

    def __init__(self, spool: AnySpool, uploads: AnyUploads | None) -> None:
        """Take the spool, and its resumable uploads if there can be any."""
        self._spool = spool
        self._uploads = uploads
        self._bodies: set[Body] = set()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """The missing bytes of all current forms."""
        return sum(body.remaining for body in self._bodies.copy())

    def make(self, body: Body) -> None:
        """Add a body, unless it is added already; raise DiskFull if there is no space for it. This call blocks."""
        with self._lock:
            if body not in self._bodies:
                unfinished = self._uploads.unfinished().missing if self._uploads else 0
                self._spool.check_space(body.remaining + self.bytes + unfinished)
                self._bodies.add(body)

    def end(self, body: Body) -> None:
        """Remove a body."""
        self._bodies.discard(body)
