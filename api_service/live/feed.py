"""Follows the changes of the catalog in one thread, and sends them to all watchers.

It polls for changes several times a second while there are watchers. Workers send no notifications, because Postgres
commits transactions that notify one after the other.

Each message carries a position in the stream of changes. A watcher that has received it knows all changes up to that
position. A watcher that reconnects with a position gets the changes that it missed. If that is not possible (too many
changes, deleted images that are purged by now, a database restored from a backup), it gets a ``reset``, and has to load
everything again.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from pydantic_core import to_json

from api_service import presentation
from imagomortis.catalog import Catalog
from imagomortis.catalog.images import Image, Place
from imagomortis.errors import Unavailable
from imagomortis.logs import Log

log = Log(__name__)

LOOK_SECONDS: Final = 0.2
"""The time between two polls while there are watchers."""

IDLE_SECONDS: Final = 2.0
"""The time between two polls while there are no watchers, or after a failed poll."""

MOST_WAITING: Final = 64
"""Messages that can be queued for a watcher. A slower watcher is dismissed, and can reconnect for the rest."""


@dataclass(frozen=True)
class StreamPosition:
    """A position in the change stream of one database; as the id of an event it is ``<epoch>-<position>``."""

    epoch: str
    position: int

    def __str__(self) -> str:
        return f"{self.epoch[:8]}-{self.position}"

    @classmethod
    def parse(cls, text: str) -> StreamPosition | None:
        """Return the mark in ``text``; None if it is not a mark."""
        epoch, dash, position = text.partition("-")
        is_number = position.isascii() and position.isdigit() and len(position) <= 18
        return cls(epoch, int(position)) if dash and is_number else None

    @classmethod
    def of(cls, place: Place) -> StreamPosition:
        """Return the mark of a place in the stream."""
        return cls(place.epoch[:8], place.position)


@dataclass(frozen=True)
class Message:
    """Events, ready to be sent; they move a watcher to ``mark``, or do not move it if that is None."""

    payload: bytes
    mark: StreamPosition | None = None
    is_reset: bool = False


class Watcher:
    """One watcher: its queued messages, and the mark at which it joined."""

    def __init__(self, mark: StreamPosition) -> None:
        """Take the mark after which the watcher gets every change."""
        self.mark = mark
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(MOST_WAITING + 1)

    async def next(self) -> Message | None:
        """Return the next message; None if there will be no more."""
        return await self._messages.get()

    def offer(self, message: Message) -> bool:
        """Queue a message. If the queue is full, end the watcher and return False."""
        if self._messages.qsize() >= MOST_WAITING:
            self.end()
            return False
        self._messages.put_nowait(message)
        return True

    def end(self) -> None:
        """Drop the queued messages, and end."""
        while not self._messages.empty():
            self._messages.get_nowait()
        self._messages.put_nowait(None)


class Feed:
    """Follows the catalog from ``start`` to ``close``."""

    def __init__(self, catalog: Catalog, most_watchers: int) -> None:
        """Take the catalog, and the largest number of watchers."""
        self._catalog = catalog
        self._most_watchers = most_watchers
        self._watchers: set[Watcher] = set()
        # held while a watcher joins, and while the thread moves on without sending a message
        self._joining = threading.Lock()
        self._mark: StreamPosition | None = None
        self._stopping = threading.Event()
        self._is_wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def watchers(self) -> int:
        """The number of watchers."""
        return len(self._watchers)

    def start(self) -> None:
        """Begin to follow; call it on the event loop of the watchers."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """Dismiss every watcher and end the thread."""
        self.dismiss()
        if self._thread.is_alive():
            self._thread.join()

    def dismiss(self) -> None:
        """Dismiss every watcher, and accept no new one."""
        self._stopping.set()
        self._is_wanted.set()
        for watcher in self._watchers:
            watcher.end()

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """Join the watchers for the duration of a block; raise as ``check``, and Unavailable if there are too many."""
        if self.watchers >= self._most_watchers:
            raise Unavailable("Too many pages and programs follow the events right now.", retry_after=5)
        with self._joining:
            watcher = Watcher(self.check())
            self._watchers.add(watcher)
        self._is_wanted.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def check(self) -> StreamPosition:
        """Return the feed's position; raise Unavailable until the database is reached, and after the end."""
        if self._mark is None or self._stopping.is_set():
            raise Unavailable("There are no events as long as the database does not answer.", retry_after=5)
        return self._mark

    def tell(self, message: Message) -> None:
        """Send a message to every watcher; call it on the event loop."""
        for watcher in list(self._watchers):
            if not watcher.offer(message):
                log.info("left behind", watchers=len(self._watchers))
                self._watchers.discard(watcher)

    def catch_up(self, seen: StreamPosition) -> Message:
        """Return the changes that a watcher missed since ``seen``, or a reset."""
        changes = self._catalog.images.changes(seen.position)
        place = self._catalog.images.place()
        mark = StreamPosition(place.epoch[:8], changes.position)
        if changes.images is None or _is_lost(seen, place):
            return reset(mark)
        return Message(_image_events(changes.images, seen, mark), mark)

    def _run(self) -> None:
        is_away = False
        while not self._stopping.is_set():
            try:
                self._look()
            except (Unavailable, psycopg.Error) as error:
                if not is_away:
                    log.warning("follows no more", error=str(error))
                is_away = True
            else:
                if is_away:
                    log.info("follows again")
                is_away = False
            self._pause(is_away=is_away)

    def _pause(self, *, is_away: bool) -> None:
        """Wait for the next poll; a watcher that joins ends an idle wait."""
        if self._watchers and not is_away:
            self._stopping.wait(LOOK_SECONDS)
        else:
            self._is_wanted.wait(IDLE_SECONDS)
        self._is_wanted.clear()

    def _look(self) -> None:
        """Send the changes since the last poll to the watchers."""
        images = self._catalog.images
        before = self._mark
        if before is None or not self._watchers:
            place = images.place()
            with self._joining:
                if before is None or not self._watchers:
                    self._mark = StreamPosition.of(place)
                    return
        changes, place = images.changes(before.position), images.place()
        mark = StreamPosition(place.epoch[:8], changes.position)
        if changes.images is None or _is_lost(before, place):
            self._tell(reset(mark))
        elif changes.images:
            self._tell(Message(_image_events(changes.images, before, mark), mark))
        self._mark = mark

    def _tell(self, message: Message) -> None:
        assert self._loop is not None  # noqa: S101  # it is set before the thread starts
        self._loop.call_soon_threadsafe(self.tell, message)


def event(name: str, data: bytes, mark: StreamPosition | None = None) -> bytes:
    """Return a server-sent event; ``data`` is one line."""
    number = b"id: %s\n" % str(mark).encode() if mark else b""
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), number, data)


def reset(mark: StreamPosition) -> Message:
    """Return the message that tells a watcher to load everything again."""
    return Message(event("reset", b"{}", mark), mark, is_reset=True)


def _is_lost(seen: StreamPosition, place: Place) -> bool:
    """Return whether some changes since ``seen`` can no longer be sent; call it after the changes were read."""
    is_foreign = seen.epoch != place.epoch[:8] or seen.position > place.ahead
    return is_foreign or (place.purged is not None and place.purged >= seen.position)


def _image_events(images: list[Image], since: StreamPosition, until: StreamPosition) -> bytes:
    """Return an event for each image. Only the last one moves a watcher to ``until``; others leave it at ``since``."""
    last = len(images) - 1
    return b"".join(
        event("image", _image_data(image), until if number == last else since) for number, image in enumerate(images)
    )


def _image_data(image: Image) -> bytes:
    if image.deleted_at is not None:
        return json.dumps({"id": str(image.id), "deleted": True}).encode()
    return to_json(presentation.image(image))
