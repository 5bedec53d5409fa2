"""Declares the parts of the API's answers that the command line uses; `--json` prints whole documents."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class JobDocument(TypedDict):
    """The processing of an image."""

    job_id: str | None
    progress: dict[str, int]
    error: str | None


class LinksDocument(TypedDict):
    """The addresses of an image's bytes, relative to the root of the API."""

    picture: str
    original: str
    processed: str | None
    thumbnail: str | None


class ImageDocument(TypedDict):
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
    job: JobDocument
    links: LinksDocument


class RenditionDocument(TypedDict):
    """A picture made from an original."""

    kind: str
    media_type: str
    width: int
    height: int
    bytes: int


class OutputDocument(RenditionDocument):
    """An output of an image, and its address relative to the root of the API."""

    name: str
    url: str


class AttemptDocument(TypedDict):
    """An attempt at an image, and the cause if it failed."""

    attempt: int
    run_id: str
    run_url: str | None
    run_expired: bool
    outcome: str
    started_at: str
    seconds: float | None
    error: str | None


class ExportDocument(TypedDict):
    """The export of an image's last result."""

    target: str
    urls: list[str]
    exported_at: str | None
    failed_attempts: int
    error: str | None
    next_try_at: str | None


class InfoDocument(ImageDocument):
    """Everything about an image."""

    run_url: str | None
    renditions: list[RenditionDocument]
    outputs: list[OutputDocument]
    attempts: list[AttemptDocument]
    export: NotRequired[ExportDocument | None]


class RecipeDocument(TypedDict):
    """A recipe with its name."""

    name: str
    recipe: dict[str, object]
    is_builtin: bool


class CountsDocument(TypedDict):
    """Images by state."""

    queued: int
    processing: int
    done: int
    failed: int
    total: int


class QueueDocument(TypedDict):
    """The queued images."""

    depth: int
    oldest_seconds: float | None


class RateDocument(TypedDict):
    """How fast images are done."""

    last_minute: int


class StorageDocument(TypedDict):
    """Bytes on disk, and in the object store."""

    originals: int
    renditions: int
    database: int
    objects: int


class TrashDocument(TypedDict):
    """How long deleted images stay in the trash."""

    days: float


class StatsDocument(TypedDict):
    """The system's figures."""

    images: CountsDocument
    queue: QueueDocument
    rate: RateDocument
    workers: int
    paused: bool
    paused_at: str | None
    storage: StorageDocument
    trash: NotRequired[TrashDocument]
    links: dict[str, str]
