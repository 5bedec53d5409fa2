"""Completes the uploader's OpenAPI document with what cannot be derived from the routes."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypedDict
from uuid import UUID

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from imagomortis.errors import (
    BrokenPicture,
    DiskFull,
    Forbidden,
    ImagoMortisError,
    InvalidRecipe,
    InvalidRequest,
    PictureTooLarge,
    RequestTimeout,
    TooManyAttempts,
    Unauthorized,
    Unavailable,
    UnsupportedPicture,
)
from imagomortis.picture.header import FORMATS
from imagomortis.recipe.recipe import DEFAULT, RESERVED, Recipe, builtin
from imagomortis_http.problems import MEDIA_TYPE as PROBLEM
from upload_service.form.assembly import MAX_PARTS
from upload_service.form.multipart import EXAMPLE, NotMultipart
from upload_service.form.multipart import MEDIA_TYPE as MULTIPART

DESCRIPTION: Final = f"""Receives pictures, checks them, and stores them durably for processing.

Upload one: `{EXAMPLE}`

Every error is a problem document (RFC 9457) whose `detail` says what to do."""


class Operation(TypedDict, total=False):
    """Arguments of a FastAPI route that only its document needs."""

    operation_id: str
    summary: str
    description: str
    response_description: str
    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]
    tags: list[str | Enum]


class Stored(BaseModel):
    """A picture that is stored durably."""

    uuid: UUID = Field(description="the image's id in the API")
    filename: str = Field(description="the file name as it was stored")


class Problem(BaseModel):
    """An error, as a problem document of RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="the kind of the problem, for programs")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="what is wrong and what to do about it, for people")


class NotStored(BaseModel):
    """A picture that was refused."""

    filename: str
    problem: Problem


class Status(BaseModel):
    """The answer to a probe."""

    status: str


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        made["components"]["schemas"] |= _recipe_schemas()
        app.openapi_schema = made
    return app.openapi_schema


def _recipe_schemas() -> dict[str, Any]:
    """Return the schemas of a recipe and of its parts, with the rules that their fields cannot express."""
    recipe = Recipe.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = recipe.pop("$defs")
    # an output's encoding needs no name, as it can be nothing else
    output = schemas["OutputRecipe"]["properties"]["output"]
    output["anyOf"] = [{"$ref": "#/components/schemas/Encoding"}, {"type": "null"}]
    encoding = {**schemas["Encode"]}
    for step in schemas.values():
        if "transform" in step["properties"]:
            step["required"] = ["transform", *step.get("required", [])]
    sides = {"anyOf": [_given("width"), _given("height")]}
    schemas["Resize"] |= sides
    schemas["Crop"] |= {"oneOf": [sides, _given("aspect")]}
    outputs = recipe["properties"]["outputs"]
    outputs |= {"additionalProperties": False, "propertyNames": {"not": {"enum": sorted(RESERVED)}}}
    # the server writes it down, as JSON has no order of names
    recipe["properties"]["first"]["readOnly"] = True
    recipe["anyOf"] = [
        {"properties": {"steps": {"minItems": 1}}},
        {"properties": {"outputs": {"minProperties": 1}}, "required": ["outputs"]},
    ]
    return {**schemas, "Encoding": encoding, "Recipe": recipe}


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def problems(
    *examples: ImagoMortisError, description: str, model: Any = None, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the documented answer for errors, with ``model`` if several files can have failed."""
    named = {error.slug: {"summary": error.title, "value": error.problem()} for error in examples}
    response: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": named}},
    }
    if model is not None:
        response["model"] = model
    if headers is not None:
        response["headers"] = headers
    return response


RETRY_AFTER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
ACCESS: Final[dict[int | str, dict[str, Any]]] = {
    401: problems(
        Unauthorized("Send the access token as `Authorization: Bearer <token>`, or sign in on the page."),
        description="The listener needs a token",
    ),
    403: problems(
        Forbidden("A page of https://elsewhere.example may not do this on http://localhost:30082."),
        description="A foreign host name or page",
    ),
    429: problems(
        TooManyAttempts("Too many wrong tokens came from 192.0.2.7. Wait 8 s, then try again.", retry_after=8),
        description="Too many wrong tokens came from this address",
        headers=RETRY_AFTER,
    ),
}
_UUID = "0190f3f4-8a5c-4b1e-9c53-2f1d8e6a7b90"
_STORED = {"uuid": _UUID, "filename": "picture.jpg"}
_BROKEN = BrokenPicture("The picture is cut off: the marker that ends a JPEG is missing.")

_RECIPE = {
    "description": "The recipe for the pictures: the name of a built-in one, or JSON",
    "anyOf": [
        {"type": "string", "enum": ["", *builtin()]},
        {"$ref": "#/components/schemas/Recipe"},
    ],
    "default": DEFAULT,
}

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "description": "One picture, or several by repeating the field",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_PARTS,
            "items": {"type": "string", "format": "binary"},
        },
        "recipe": _RECIPE,
    },
}

UPLOAD: Final[Operation] = {
    "operation_id": "upload",
    "summary": "Upload pictures",
    "description": "Checks the pictures of a form, and stores them after all have arrived. When the answer comes, they "
    f"are durable. For example: `{EXAMPLE}`",
    "tags": ["upload"],
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                MULTIPART: {
                    "schema": _FORM,
                    "encoding": {"file": {"contentType": ", ".join(each.media_type for each in FORMATS.values())}},
                }
            },
        }
    },
    "responses": {
        201: {
            "description": "The picture is stored. Of several pictures, at least one is stored",
            "model": Stored | list[Stored | NotStored],
            "content": {
                "application/json": {
                    "examples": {
                        "one": {"summary": "One picture", "value": _STORED},
                        "several": {
                            "summary": "Two pictures, of which one was refused",
                            "value": [_STORED, {"filename": "half.jpg", "problem": _BROKEN.problem()}],
                        },
                    }
                }
            },
        },
        **ACCESS,
        408: problems(
            RequestTimeout("Nothing came for 20 seconds, so the upload was ended and nothing was stored."),
            description="The client was silent for too long",
        ),
        413: problems(
            PictureTooLarge("The file has 120.0 MiB; at most 100 MiB are allowed."),
            description="A picture, or the whole request, is too large; of several pictures, the first refused one",
            model=list[NotStored],
        ),
        415: problems(
            UnsupportedPicture("This is a PDF document, not a picture of a kind that is taken."),
            NotMultipart("The body is of the type 'application/json'; send pictures as multipart/form-data."),
            description="Not a picture, or not a form; of several pictures, the first refused one",
            model=list[NotStored],
        ),
        422: problems(
            _BROKEN,
            InvalidRequest(f"The form has no field `file` with a picture. For example: {EXAMPLE}"),
            InvalidRecipe("There is no built-in recipe 'circle'. Did you mean 'circles'?"),
            description="A broken picture, form or recipe; of several pictures, the first refused one",
            model=list[NotStored],
        ),
        503: problems(
            Unavailable("Too many pictures are queued for their check. Upload again in a moment.", retry_after=5),
            description="Not possible right now; nothing was stored",
            model=list[NotStored],
            headers=RETRY_AFTER,
        ),
        507: problems(
            DiskFull("The server's disk has 900 MiB left and keeps 1024 MiB in reserve."),
            description="The server's disk is full; nothing was stored",
            model=list[NotStored],
        ),
    },
}

HEALTHZ: Final[Operation] = {
    "operation_id": "healthz",
    "summary": "Is the uploader alive?",
    "description": "Answers as long as the process is alive. Also at `/upload/healthz`; never needs a token.",
    "tags": ["health"],
    "responses": {200: {"description": "The uploader is alive", "model": Status}},
}

STARTZ: Final[Operation] = {
    "operation_id": "startz",
    "summary": "Has the uploader started?",
    "description": "Checks that the decoder works, whatever the state of the disk. Also at `/upload/startz`; never "
    "needs a token.",
    "tags": ["health"],
    "responses": {
        200: {"description": "The uploader has started", "model": Status},
        503: problems(
            Unavailable("The decoder does not start: it says nothing"),
            description="The uploader has not started, with the reason",
        ),
    },
}

READYZ: Final[Operation] = {
    "operation_id": "readyz",
    "summary": "Can the uploader take pictures?",
    "description": "Checks that the spool can be written and has more free space than its reserve, and that the "
    "decoder answers. Also at `/upload/readyz`; never needs a token.",
    "tags": ["health"],
    "responses": {
        200: {"description": "The uploader can take pictures", "model": Status},
        503: problems(
            Unavailable("The spool cannot be written (Read-only file system)."),
            description="The uploader cannot take pictures, with the reason",
        ),
    },
}
