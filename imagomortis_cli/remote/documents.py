"""Declares the parts of the API's answers that the command line uses; `--json` prints whole documents."""

from __future__ import annotations

from typing import TypedDict


class Job(TypedDict):
    """The processing of an image."""

    job_id: str | None
    progress: dict[str, int]
    error: str | None


class Links(TypedDict):
    """The addresses of an image's bytes, relative to the root of the API."""

    picture: str
    original: str
    processed: str | None
    thumbnail: str | None


class Image(TypedDict):
    """An image in a list."""

    id: str
    created_at: str
    resolution: str
    size: str
    filename: str
    media_type: str
    bytes: int
    sha256: str
    state: str
    attempt: int
    recipe_name: str | None
    recipe_digest: str
    job: Job
    links: Links


class Rendition(TypedDict):
    """A picture made from an original."""

    kind: str
    media_type: str
    width: int
    height: int
    bytes: int


class Attempt(TypedDict):
    """An attempt at an image, and the cause if it failed."""

    attempt: int
    run_id: str
    run_url: str | None
    run_expired: bool
    outcome: str
    started_at: str
    seconds: float | None
    error: str | None


class Info(Image):
    """Everything about an image."""

    run_url: str | None
    renditions: list[Rendition]
    attempts: list[Attempt]


class Recipe(TypedDict):
    """A recipe with its name."""

    name: str
    recipe: dict[str, object]
    is_builtin: bool


class Counts(TypedDict):
    """Images by state."""

    queued: int
    processing: int
    done: int
    failed: int
    total: int


class Queue(TypedDict):
    """The queued images."""

    depth: int
    oldest_seconds: float | None


class Rate(TypedDict):
    """How fast images are done."""

    last_minute: int


class Storage(TypedDict):
    """Bytes on disk."""

    originals: int
    renditions: int
    database: int


class Stats(TypedDict):
    """The system's figures."""

    images: Counts
    queue: Queue
    rate: Rate
    workers: int
    paused: bool
    paused_at: str | None
    storage: Storage
    links: dict[str, str]
