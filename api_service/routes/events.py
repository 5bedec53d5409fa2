"""Sends server-sent events: every change of an image, and the system's figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api_service.dependencies import Here, Service
from api_service.live.feed import Feed, Message, StreamPosition, Watcher, event, reset
from api_service.live.statistics import Tally, changed
from api_service.openapi import EVENTS
from imagomortis.errors import Unavailable

router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS: Final = 10.0
STATS_SECONDS: Final = 3.0
RETRY_MILLISECONDS: Final = 2000

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _watching(service: Here) -> AsyncIterator[Watcher]:
    """Watch until the answer is complete or the client is gone."""
    with service.feed.watch() as watcher:
        yield watcher


@router.get("/events", response_class=StreamingResponse, responses=EVENTS)
async def events(
    service: Here,
    watcher: Annotated[Watcher, Depends(_watching)],
    last_event_id: Annotated[str | None, Header(max_length=100, description="the id of the last event seen")] = None,
    since: Annotated[
        str | None,
        Query(alias="last_event_id", max_length=100, description="the same, for clients that cannot set a header"),
    ] = None,
) -> StreamingResponse:
    """Send events for as long as the client listens.

    `image` holds an image as it stands in the list, or `{"id": ..., "deleted": true}`; `stats` what GET /stats answers;
    `ready` is the first event of a new client: load the list after it, and no change is missed. A client that comes
    back with the id of the last event it saw is told what it missed, or by `reset` that it has to load the list again.
    """
    stream = _stream(service, watcher, last_event_id or since)
    return StreamingResponse(stream, headers=_HEADERS, media_type="text/event-stream")


async def tell_stats(feed: Feed, tally: Tally) -> None:
    """Send the figures to every watcher for ever, every few seconds if they changed."""
    last = None
    while True:
        await asyncio.sleep(STATS_SECONDS)
        if not feed.watchers:
            last = None
            continue
        try:
            stats = await run_in_threadpool(tally.stats)
        except Unavailable:
            continue
        if changed(last, stats):
            feed.tell(Message(event("stats", stats.model_dump_json().encode())))
            last = stats


async def _stream(service: Service, watcher: Watcher, last_event_id: str | None) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    first = await _first(service.feed, watcher, last_event_id)
    yield first.payload
    yield await _stats(service.tally)
    async for payload in _news(watcher, first.mark or watcher.mark):
        yield payload


async def _news(watcher: Watcher, at: StreamPosition) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                message = await watcher.next()
        except TimeoutError:
            yield event("alive", b"{}")
            continue
        if message is None:
            return
        if _is_news(message, at):
            yield message.payload
            at = message.mark or at


async def _first(feed: Feed, watcher: Watcher, last_event_id: str | None) -> Message:
    if last_event_id is None:
        return Message(event("ready", b"{}", watcher.mark), watcher.mark)
    seen = StreamPosition.parse(last_event_id)
    return await run_in_threadpool(feed.catch_up, seen) if seen else reset(watcher.mark)


async def _stats(tally: Tally) -> bytes:
    try:
        stats = await run_in_threadpool(tally.stats)
    except Unavailable:
        return b": no figures\n\n"
    return event("stats", stats.model_dump_json().encode())


def _is_news(message: Message, at: StreamPosition) -> bool:
    """Return whether a message is new for a watcher at ``at``, which can have caught up beyond it already."""
    if message.mark is None or message.is_reset or message.mark.epoch != at.epoch:
        return True
    return message.mark.position > at.position
