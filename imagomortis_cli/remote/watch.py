"""Watches images until each is done, failed or deleted: by events, or by polling if there are no events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from imagomortis.lifecycle import State
from imagomortis_cli.remote.client import Client, ConnectionLost, Event, ForeignServer, NotReachable, ServerProblem
from imagomortis_cli.remote.documents import ImageDocument

SILENCE_SECONDS: Final = 40.0
"""The server sends something every 10 seconds, so a stream that is silent for this long is broken."""

ASK_SECONDS: Final = 1.0
"""The pause between two polls if there are no events."""

STREAM_SECONDS: Final = 0.2
"""The pause before a stream that ended is resumed."""

EVENTS_AGAIN_SECONDS: Final = 10.0
"""How long to poll before events are tried again."""

PATIENCE_SECONDS: Final = 90.0
"""How long to wait for a server that does not answer, because it can be restarting."""

SINGLE: Final = 20
"""The number of images that are polled one by one at a time."""


class End(StrEnum):
    """How an image ended, as far as it was watched."""

    DONE = "done"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class Ending:
    """How an image ended, and its document; None if it was deleted."""

    end: End
    image: ImageDocument | None


def place(client: Client) -> str | None:
    """Return the current id of the event stream; None if there is no stream."""
    try:
        with client.events(None, SILENCE_SECONDS) as events:
            return next(events).id
    except (ConnectionLost, ForeignServer, ServerProblem, StopIteration):
        return None  # uploads can still work


class Watch:
    """Watches some images."""

    def __init__(
        self,
        client: Client,
        ids: Iterable[UUID],
        advance: Callable[[float], object],
        note: Callable[[str], None],
        since: str | None = None,
    ) -> None:
        """Take the images, a callback for fractions of finished images, and one for notes about delays.

        ``since`` is a `place` from before the images existed: later changes of them are not missed.
        """
        self._client = client
        self._pending = {str(image_id): 0.0 for image_id in ids}
        self._seen = set[str]()
        self._endings = dict[UUID, Ending]()
        self._advance = advance
        self._note = note
        self._is_paused = False
        self._last_id = since

    def run(self) -> dict[UUID, Ending]:
        """Watch until every image has ended; raises ImagoMortisError if the server is away for long."""
        away_since: float | None = None
        while self._pending:
            try:
                self._listen()
                away_since = None
                if self._pending:  # the server ended the stream: it stops, or this client was too slow
                    time.sleep(STREAM_SECONDS)
            except (ConnectionLost, NotReachable, ForeignServer, ServerProblem) as error:
                if isinstance(error, ServerProblem) and error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                    raise
                if self._ask():
                    away_since = None
                    continue
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
        return self._endings

    def _listen(self) -> None:
        """Follow the events until every image has ended, or the stream has."""
        with self._client.events(self._last_id, SILENCE_SECONDS) as events:
            self._look()  # images that ended before the stream began, perhaps a picture that was already known
            if not self._pending:
                return
            for event in events:
                self._last_id = event.id or self._last_id
                self._take_event(event)
                if not self._pending:
                    return

    def _take_event(self, event: Event) -> None:
        if event.name in {
            "reset",
            "alive",
        }:  # the server is silent otherwise, so changes without an event are found here
            self._look()
        elif event.name == "image" and event.data.get("deleted"):
            self._end(event.data["id"], Ending(End.DELETED, None))
        elif event.name == "image":
            self._take(event.data)
        elif event.name == "stats":
            self._take_stats(event.data)

    def _ask(self) -> bool:
        """Poll for a while instead of listening; return False if the server does not answer."""
        until = time.monotonic() + EVENTS_AGAIN_SECONDS
        while self._pending and time.monotonic() < until:
            try:
                self._look()
                self._take_stats(self._client.stats())
            except (ConnectionLost, NotReachable, ServerProblem):
                time.sleep(ASK_SECONDS)
                return False
            if self._pending:
                time.sleep(ASK_SECONDS)
        return True

    def _look(self) -> None:
        """Check the newest images, which should include the watched ones, and some of the others one by one."""
        missing = set(self._pending)
        for image in self._client.images(2 * len(missing) + 1000):
            if image["id"] in missing:
                missing.remove(image["id"])
                self._take(image)
            if not missing:
                return
        for image_id in sorted(missing)[:SINGLE]:
            self._look_at(image_id)

    def _look_at(self, image_id: str) -> None:
        try:
            self._take(self._client.info(image_id))
        except ServerProblem as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            # an image that was never seen can still be on its way into the catalog
            if image_id in self._seen:
                self._end(image_id, Ending(End.DELETED, None))

    def _take(self, image: ImageDocument) -> None:
        if image["id"] not in self._pending:
            return
        self._seen.add(image["id"])
        if image["state"] == State.DONE:
            self._end(image["id"], Ending(End.DONE, image))
        elif image["state"] == State.FAILED:
            self._end(image["id"], Ending(End.FAILED, image))
        else:
            steps = image["job"]["progress"].values()
            self._progress(image["id"], sum(steps) / len(steps) / 100 if steps else 0.0)

    def _take_stats(self, stats: Any) -> None:
        if stats["paused"] and not self._is_paused:
            self._note("Processing is paused. Continue it with `imagomortis resume`.")
        self._is_paused = stats["paused"]

    def _progress(self, image_id: str, part: float) -> None:
        self._advance(part - self._pending[image_id])
        self._pending[image_id] = part

    def _end(self, image_id: str, ending: Ending) -> None:
        if image_id in self._pending:
            self._progress(image_id, 1.0)
            del self._pending[image_id]
            self._endings[UUID(image_id)] = ending
