"""What clients have announced and not sent yet, as far as it will lie on the spool's disk."""

from __future__ import annotations

import threading

from imagomortis.spool.resumable import ResumableUploads
from imagomortis.spool.spool import Spool
from upload_service.body import Body


class Promises:
    """Lets uploads begin whose bytes leave the disk's reserve alone, together with those that are still to come."""

    def __init__(self, spool: Spool, uploads: ResumableUploads | None) -> None:
        """Take the spool, and its unfinished uploads if there may be any."""
        self._spool = spool
        self._uploads = uploads
        self._bodies: set[Body] = set()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much is still to come of the forms that are under way."""
        return sum(body.remaining for body in self._bodies.copy())

    def make(self, body: Body) -> None:
        """Count on a body, if that was not done yet; raises DiskFull if there is no space for it. It blocks."""
        with self._lock:
            if body not in self._bodies:
                unfinished = self._uploads.unfinished().missing if self._uploads else 0
                self._spool.check_space(body.remaining + self.bytes + unfinished)
                self._bodies.add(body)

    def end(self, body: Body) -> None:
        """Count on a body no more."""
        self._bodies.discard(body)
