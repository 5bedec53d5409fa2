"""Builds the OpenAPI document: the endpoints' answers besides their results."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api_service.models import IMAGE_EXAMPLE, Problem
from imagomortis_http.callers.session import COOKIE

Responses = dict[int | str, dict[str, Any]]

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PICTURE: Final = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete", "head"})


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": _PROBLEM}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_RETRY_AFTER: Final = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}

EVERYWHERE: Final[Responses] = {
    400: _problem("The body is not JSON"),
    401: _problem("An access token is needed"),
    403: _problem("A foreign host name or page"),
    413: _problem("The body is too large"),
    422: _problem("The request cannot be understood"),
    429: {**_problem("Too many wrong tokens came from this address"), "headers": _RETRY_AFTER},
    503: {**_problem("The database is away, or too many clients wait for the same"), "headers": _RETRY_AFTER},
}
"""Answers that every endpoint can give."""

NOT_FOUND: Final[Responses] = {404: _problem("It does not exist, or is deleted")}

NOT_A_PICTURE: Final[Responses] = {415: _problem("It is not a picture, or its format is not supported")}

CONFLICT: Final[Responses] = {409: _problem("Not possible")}

_OF_AN_IMAGE: Final = (
    "image_info",
    "best_picture",
    "original",
    "processed",
    "thumbnail",
    "list_outputs",
    "edit_image",
    "preview",
    "retry_image",
    "delete_image",
)

PAGE: Final[Responses] = {
    200: {
        "headers": {"Link": _header('`<?cursor=...>; rel="next"` if there is a next page, relative to this address')},
        "links": {
            name: {"operationId": name, "parameters": {"image_id": "$response.body#/0/id"}} for name in _OF_AN_IMAGE
        },
    }
}

PICTURE: Final[Responses] = {200: {"description": "The bytes of a picture", "content": _PICTURE}}

ZIP: Final[Responses] = {
    200: {
        "description": "A zip file",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}

BYTES: Final[Responses] = {
    200: {
        "description": "The bytes of a picture",
        "content": _PICTURE,
        "headers": {
            "ETag": _header("SHA-256 of the bytes"),
            "Content-Disposition": _header("the file name, with the suffix of its format"),
        },
    },
    206: {
        "description": "A range of the bytes",
        "content": _PICTURE,
        "headers": {"Content-Range": _header("the range and the total size")},
    },
    302: {
        "description": "The bytes are at a signed address of the object store; for `IMAGOMORTIS_STORAGE_REDIRECT`",
        "headers": {"Location": _header("the address, which is valid for ten minutes")},
    },
    304: {"description": "Unchanged since the version in `If-None-Match`"},
    416: _problem("The range begins after the end"),
    **NOT_FOUND,
}

EVENTS: Final[Responses] = {
    200: {
        "description": "Events: `ready`, `reset`, `image` and `stats`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``, with the schema of problems and the ways to send the token."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            separate_input_output_schemas=False,
        )
        schemas = document["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        schemas["Problem"] = Problem.model_json_schema()
        # FastAPI leaves out null values
        schemas["Image"]["examples"] = [IMAGE_EXAMPLE]
        recipes: dict[str, Any] = {}
        document = _name_recipes(document, recipes)
        document["components"]["schemas"] |= recipes
        _add_access(document)
        app.openapi_schema = document
    return app.openapi_schema


def _name_recipes(part: Any, recipes: dict[str, Any]) -> Any:
    """Return a part of the document with references instead of inline recipes; add their schema to ``recipes``."""
    if isinstance(part, list):
        return [_name_recipes(item, recipes) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("title") == "Recipe" and part.get("type") == "object":
        recipes["Recipe"] = part
        return {"$ref": "#/components/schemas/Recipe"}
    return {key: _name_recipes(item, recipes) for key, item in part.items()}


def _add_access(document: dict[str, Any]) -> None:
    """Describe how to send the token; with open access none is needed."""
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    for path, operations in document["paths"].items():
        for method in _METHODS & operations.keys():
            is_open = path in {"/healthz", "/readyz", "/session"}
            operations[method]["security"] = [{}] if is_open else [{}, {"token": []}, {"session": []}]
