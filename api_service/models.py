"""What the API takes and answers, as it stands in the OpenAPI document."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from imagomortis.lifecycle import Outcome, State
from imagomortis.recipe.recipe import OUTPUT_NAME, Recipe
from imagomortis.recipe.render import PREVIEW_SIDE

Kind = Literal["original", "processed", "thumbnail"]

EXAMPLE_ID = "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7de"
OTHER_EXAMPLE_ID = "5a0f7a3e-6c0e-4b61-8c9b-6f6f1f0c2f11"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_DOT = "R0lGODlhAQABAIAAAAAAAAAAACH5BAAAAAAALAAAAAABAAEAAAICTAEAOw=="
_STEPS: dict[str, Any] = {"steps": [{"transform": "resize", "width": "50%"}, {"transform": "grayscale"}]}

RECIPE_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"

MOST_IDS = 10_000
"""Images that one request may name."""

MOST_PREVIEW_SIDE = 4096
"""Pixels of the longest side that a preview may be asked for: a whole wide screen of high density."""

# Postgres cannot store the character NUL
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=500)]
Name = Annotated[str, StringConstraints(pattern=RECIPE_NAME)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# the bytes of a cursor in base64: 24 of them for a list by time, more for one by name
CursorText = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_-]{4}){8,500}$")]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS)]


def _written_out(value: object) -> object:
    """Refuse a number, which Pydantic would take for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"[0-9]{4}-", value)):
        return value
    raise ValueError("write a moment as 2026-11-24T12:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A moment with its offset from UTC."""


class _LikeRecipe:
    """Describes a document as a recipe, and leaves it to `Recipe.parse`, which explains itself better."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(Recipe.__pydantic_core_schema__)


RecipeDocument = Annotated[dict[str, Any], _LikeRecipe]
"""A recipe as JSON."""

RecipeChoice = Name | RecipeDocument
"""The name of a built-in or saved recipe, or a recipe."""


class Request(BaseModel):
    """A body that says nothing but what it should."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(frozen=True)


class Job(Answer):
    """The processing of an image: its last attempt."""

    job_id: str | None = Field(description="the run of the last attempt; null before the first")
    progress: dict[str, int] = Field(description="percent by step, while it is processed")
    completed: bool
    completed_at: datetime | None
    failed: bool
    failed_at: datetime | None
    error: str | None = Field(description="why the last attempt failed")


class Links(Answer):
    """Where the bytes and the details of an image are, relative to the root of the API."""

    picture: str
    original: str
    processed: str | None = Field(description="null until there is a processed picture")
    thumbnail: str | None
    info: str | None = Field(description="null in the trash")


class Thumbnail(Answer):
    """The size of a thumbnail in pixels. It has the shape of the processed picture."""

    width: int
    height: int
    thumbhash: str | None = Field(description="its ThumbHash in base64, a rough image; null for old thumbnails")


IMAGE_EXAMPLE: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "created_at": "2026-11-24T12:00:00Z",
    "resolution": "4000x3000",
    "size": "3.4 MB",
    "job": {
        "job_id": "3c1f3d5a-1f0e-4b0a-8a43-5f2f3a1c9d10",
        "progress": {},
        "completed": True,
        "completed_at": "2026-11-24T12:00:01Z",
        "failed": False,
        "failed_at": None,
        "error": None,
    },
    "filename": "harbour.jpg",
    "media_type": "image/jpeg",
    "bytes": 3_565_158,
    "width": 4000,
    "height": 3000,
    "sha256": _DIGEST,
    "state": "done",
    "attempt": 1,
    "recipe_name": "circles",
    "recipe_digest": _DIGEST,
    "favourite": False,
    "sort_key": None,
    "thumbnail": {"width": 512, "height": 384, "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI"},
    "links": {
        "picture": f"images/{EXAMPLE_ID}",
        "original": f"images/{EXAMPLE_ID}/original",
        "processed": f"images/{EXAMPLE_ID}/processed?v=9f86d081884c7d65",
        "thumbnail": f"images/{EXAMPLE_ID}/thumbnail?v=2c26b46b68ffc68f",
        "info": f"images/{EXAMPLE_ID}/info",
    },
}


class Image(Answer):
    """An image in a list."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [IMAGE_EXAMPLE]})

    id: UUID
    created_at: datetime
    resolution: str = Field(description="width and height of the original in pixels")
    size: str = Field(description="size of the original for people; 1 KB is 1,024 bytes")
    job: Job
    filename: str
    media_type: str
    bytes: int = Field(description="size of the original in bytes")
    width: int
    height: int
    sha256: str = Field(description="digest of the original")
    state: State
    attempt: int = Field(description="how many attempts there were")
    recipe_name: str | None
    recipe_digest: str
    favourite: bool = Field(description="whether it is marked with a star")
    sort_key: str | None = Field(description="its place in a list by name or size; null in other lists")
    thumbnail: Thumbnail | None = Field(description="null until there is one")
    links: Links


class Mark(Answer):
    """A piece of a long list."""

    cursor: str | None = Field(description="the cursor with which GET /images answers the piece; null: without one")
    count: int = Field(description="how many images the piece has")
    created_at: datetime = Field(description="creation of its last image")
    id: UUID = Field(description="its last image")
    sort_key: str | None = Field(description="the place of its last image in a list by name or size")


class Marks(Answer):
    """A long list in pieces."""

    marks: list[Mark] = Field(description="newest first, or in the order that was asked for")
    next: str | None = Field(description="the cursor behind which there may be more; null at the end")


class Rendition(Answer):
    """A picture made from an original."""

    kind: str = Field(description="`processed` (the first output), `thumbnail`, or the name of another output")
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    recipe_digest: str = Field(description="digest of the recipe that made it")
    created_at: datetime


OutputName = Annotated[str, StringConstraints(pattern=OUTPUT_NAME)]


class Output(Answer):
    """An output of an image."""

    name: OutputName
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    recipe_digest: str = Field(description="digest of the recipe that made it")
    url: str = Field(description="where its bytes are, relative to the root of the API")


class Outputs(Answer):
    """The outputs of an image."""

    outputs: list[Output]
    srcset: dict[str, str] = Field(
        description="by media type, the value for an HTML `srcset`: all outputs in the proportions of the first one"
    )


class Attempt(Answer):
    """An attempt at an image, and its cause if it failed."""

    attempt: int
    run_id: str
    run_url: str | None = Field(description="link to the run in the Dagster webserver; null after the run has expired")
    run_expired: bool = Field(description="whether the run has expired and was deleted")
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    seconds: float | None
    error: str | None
    error_kind: str | None


class Export(Answer):
    """The export of an image's last result to the target that its recipe names."""

    target: str
    urls: list[str] = Field(description="the exported outputs; empty until they are written")
    exported_at: datetime | None
    failed_attempts: int
    error: str | None = Field(description="why the last attempt failed")
    next_try_at: datetime | None = Field(description="null once it is exported")


class ImageInfo(Image):
    """Everything about an image but its bytes."""

    recipe: RecipeDocument
    error_kind: str | None
    failed_attempts: int = Field(description="failed or lost attempts since it was last queued by a person")
    run_url: str | None = Field(
        description="the run of the last attempt in the Dagster webserver; null once it has expired"
    )
    renditions: list[Rendition]
    outputs: list[Output] = Field(description="the first one first")
    attempts: list[Attempt]
    export: Export | None = Field(description="null if the recipe of the last result has no export target")


class Edit(Request):
    """A recipe for an image."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"recipe": "circles"}, {"recipe": _STEPS}]})

    recipe: RecipeChoice


class PreviewOf(Edit):
    """A recipe to preview, and the size of the preview."""

    longest_side: int = Field(
        PREVIEW_SIDE,
        ge=16,
        le=MOST_PREVIEW_SIDE,
        description="longest side of the preview in pixels",
    )


class PreviewOfCopy(PreviewOf):
    """A small copy of a picture that is not uploaded yet, and a recipe to preview."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"recipe": "circles", "picture": _DOT, "scale": 0.1}]})

    picture: Base64Bytes = Field(min_length=1, description="the copy, as a file of any supported format in base64")
    scale: float = Field(
        1.0, gt=0, le=1, description="its size as a share of the full picture; lengths in pixels are scaled with it"
    )
    sha256: Digest | None = Field(None, description="digest of the full original, the seed of random steps")


class Selection(Request):
    """Some images."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": [EXAMPLE_ID, OTHER_EXAMPLE_ID]}]})

    ids: Ids


class EditMany(Selection):
    """A recipe for many images."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ids": [EXAMPLE_ID, OTHER_EXAMPLE_ID], "recipe": "circles"}]}
    )

    recipe: RecipeChoice


class DeleteMany(Selection):
    """Images to delete."""

    permanently: bool = Field(
        False, strict=True, description="not into the trash; images that are in the trash are deleted too"
    )


class FavouriteMany(Selection):
    """Images to mark as favourites, or to unmark."""

    favourite: bool = Field(True, strict=True)


class RestoreSome(Selection):
    """Deleted images to restore."""


class RestoreAll(Request):
    """Restore the images that the last `DELETE /all` deleted. Images that were deleted one by one stay deleted."""

    all: Literal[True]


class Bundle(Selection):
    """Images to download. By default a download has all outputs of an image, or the original until it has any."""

    kind: Kind | None = None
    output: OutputName | None = Field(None, description="only the output of this name, instead of a kind")


class Former(Answer):
    """Images that had the same recipe, as it is stored. Another release may not know all its steps."""

    recipe: dict[str, Any]
    ids: list[UUID]


class Changed(Answer):
    """The images with a new recipe, and their former recipes; no recipes for more than 1,000 images."""

    changed: list[UUID]
    former: list[Former]


class Deleted(Answer):
    """The deleted images."""

    deleted: list[UUID]


class Marked(Answer):
    """The images that were marked or unmarked."""

    marked: list[UUID]


class Restored(Answer):
    """The restored images."""

    restored: list[UUID] = Field(description="their ids; null if all images were to be restored")
    count: int = Field(description="the number of restored images")


class Retried(Answer):
    """The number of images that were queued again."""

    retried: int


class Digests(Request):
    """Digests of originals to look up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sha256": [_DIGEST]}]})

    sha256: Annotated[list[Digest], Field(max_length=1000)]


class RecipeInfo(Answer):
    """A recipe with its name."""

    name: str
    title: str
    description: str
    recipe: RecipeDocument
    digest: str
    is_builtin: bool
    is_default: bool
    created_at: datetime | None
    updated_at: datetime | None


class RecipeDraft(Request):
    """A recipe to be saved."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Small and grey", "description": "For the web.", "recipe": _STEPS}]}
    )

    title: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", min_length=1, max_length=200)] | None = None
    description: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2000)] = ""
    recipe: RecipeChoice


class CheckedRecipe(Answer):
    """A valid recipe, complete with its defaults."""

    recipe: RecipeDocument
    digest: str
    labels: list[str] = Field(description="the steps' names in progress reports")


class AssetInfo(Answer):
    """A picture under a name, which recipes can lay over others."""

    name: str
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    url: str = Field(description="where its bytes are, relative to the root of the API")
    created_at: datetime
    updated_at: datetime


class TransformInfo(Answer):
    """A transform, and the JSON Schema of its parameters.

    The schema says with `x-slider`, `x-labels` and `x-hidden` how an editor may show a field, and in the first of its
    `examples` with which values a step may begin.
    """

    name: str
    title: str = Field(description="its name for people, in English")
    description: str
    parameters: dict[str, Any]


class Counts(Answer):
    """Images by state."""

    queued: int
    processing: int
    done: int
    failed: int
    total: int


class QueueStats(Answer):
    """The queue."""

    depth: int
    oldest_at: datetime | None = Field(description="when the oldest queued image was created")
    oldest_seconds: float | None = Field(
        description="the longest wait in the queue; an image that is processed again does not wait since its upload"
    )


class Minute(Answer):
    """Attempts that ended within a minute."""

    minute: datetime
    done: int = 0
    failed: int = 0
    lost: int = 0


class Rate(Answer):
    """The rate of processing."""

    last_minute: int = Field(description="images done within the last 60 seconds")
    taken_last_minute: int = Field(description="images uploaded within the last 60 seconds")
    last_hour: list[Minute] = Field(description="by minute, oldest first; minutes without attempts are left out")
    p50_seconds: float | None = Field(description="half of the images done within the last hour took at most this long")
    p95_seconds: float | None = Field(description="95 % of the images done within the last hour took at most this long")


class WorkerStats(Answer):
    """A running worker and its images."""

    run_id: str
    started_at: datetime
    done: int = Field(description="images that it has finished")
    processing: int
    filenames: list[str] = Field(description="up to three of the images that it processes")


class Storage(Answer):
    """Bytes on disk, and in the object store."""

    originals: int
    renditions: int
    database: int
    objects: int = Field(description="those of originals and renditions that are in the object store")


class TrashStats(Answer):
    """The trash."""

    days: float = Field(description="how long deleted images stay in it; 0: there is no trash")
    images: int
    bytes: int = Field(description="size of their originals and renditions, which the storage figures include")


class Stats(Answer):
    """The state of the system."""

    images: Counts
    spool: int | None = Field(
        description="pictures in the spool that are not queued yet; null while the spool cannot be read"
    )
    queue: QueueStats
    rate: Rate
    workers: int = Field(description="workers that run or were just requested")
    at_work: list[WorkerStats] = Field(description="workers that run, the oldest first, up to 50")
    paused: bool
    paused_at: datetime | None
    storage: Storage
    trash: TrashStats
    links: dict[str, str] = Field(description="addresses of the Dagster webserver and Grafana, if they are set")


class Switch(Answer):
    """Whether processing is paused."""

    paused: bool


class Span(Request):
    """A span of time. `since` belongs to it, `until` does not."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"since": "2026-11-24T12:00:00Z", "until": "2026-11-24T13:00:00Z"}]}
    )

    since: Moment
    until: Moment

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.since >= self.until:
            raise ValueError("`since` must be before `until`")
        return self


class Queued(Answer):
    """The number of images that were queued again."""

    queued: int


class Cancelled(Answer):
    """The number of images that left the queue."""

    cancelled: int


class Credentials(Request):
    """The access token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "the token that was set on the server"}]})

    token: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Session(Answer):
    """Whether a token is needed, and whether this client has signed in."""

    needs_token: bool
    signed_in: bool


class Health(Answer):
    """The answer of a healthy service."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """An error, as a problem document of RFC 9457."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:imagomortis:not-found",
                    "title": "Not found",
                    "status": 404,
                    "detail": "There is no image 0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7de. It may have been deleted.",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str = Field(description="what is wrong, and what to do")
