"""Describes resumable uploads for the uploader's OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from imagomortis.errors import (
    BrokenPicture,
    DiskFull,
    InvalidRecipe,
    NotFound,
    PictureTooLarge,
    RequestTimeout,
    Unavailable,
    UnsupportedPicture,
)
from imagomortis.spool.resumable import Gone, Locked
from upload_service.openapi import ACCESS, RETRY_AFTER, Operation, problems
from upload_service.tus import protocol
from upload_service.tus.protocol import (
    ChecksumMismatch,
    MetadataTooLarge,
    NotOffset,
    TooManyBytes,
    WrongHeader,
    WrongOffset,
    WrongVersion,
)

METADATA_FORMAT: Final = "tus-metadata"
"""The format of Upload-Metadata, which no schema can express: pairs of a key and Base64."""

CHECKSUM_FORMAT: Final = "tus-checksum"
"""The format of Upload-Checksum: the name of an algorithm, and Base64."""

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**53}
_DATE = {"type": "string"}


def _header(name: str, description: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _body(description: str, *, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"description": description, "required": required, "content": {protocol.MEDIA_TYPE: {"schema": schema}}}


_UPLOAD = {"name": "upload", "in": "path", "required": True, "schema": {"type": "string"}}
_RESUMABLE = _header("Tus-Resumable", "the version of the protocol", {"type": "string", "enum": [protocol.VERSION]})
_CHECKSUM = _header(
    "Upload-Checksum",
    "a digest of this request's bytes: `sha256` or `sha1`, a space, and Base64",
    {"type": "string", "format": CHECKSUM_FORMAT},
    required=False,
)

_PLACE = {"upload": "$response.header.Location"}
_LINKS = {
    "offset": {"operationId": "tus_offset", "parameters": _PLACE},
    "append": {
        "operationId": "tus_append",
        "parameters": _PLACE | {"header.Upload-Offset": "$response.header.Upload-Offset"},
    },
    "end": {"operationId": "tus_end", "parameters": _PLACE},
}

_OFFSET_TOLD = {"Upload-Offset": {"description": "number of durable bytes", "schema": _NUMBER}}
_EXPIRES_TOLD = {
    "Upload-Expires": {"description": "when the upload expires; missing after it is complete", "schema": _DATE}
}

_EVERY: Final[dict[int | str, dict[str, Any]]] = {
    **ACCESS,
    412: problems(
        WrongVersion("The header Tus-Resumable is missing; this server speaks 1.0.0."), description="Another version"
    ),
}
_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: problems(NotFound("There is no such upload. Begin one with POST."), description="No such upload"),
    410: problems(
        Gone("Nothing was added to this upload for too long."),
        description="Nothing was added for too long, so the upload has expired",
    ),
}
_LOCKED: Final[dict[int | str, dict[str, Any]]] = {
    423: problems(
        Locked("Another request sends bytes of this upload.", retry_after=1),
        description="Another request is sending bytes of this upload",
        headers=RETRY_AFTER,
    ),
}
_AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: problems(
        Unavailable("Too many pictures are queued for their check. Upload again in a moment.", retry_after=5),
        description="Not possible right now; the bytes before are kept",
        headers=RETRY_AFTER,
    ),
}
_BYTES: Final[dict[int | str, dict[str, Any]]] = {
    400: problems(
        WrongHeader("The header Upload-Offset is missing; it is a number of bytes, such as 1048576."),
        description="A header that is missing or cannot be read",
    ),
    408: problems(
        RequestTimeout("Nothing came for too long, so the request was ended."),
        description="The client was silent for too long; the bytes before are kept",
    ),
    413: problems(
        TooManyBytes("The upload was announced with 1,000 bytes, but more came."),
        PictureTooLarge("The file has 120.0 MiB; at most 100 MiB are allowed."),
        description="More bytes than were announced, or than are allowed",
    ),
    415: problems(
        NotOffset(f"The Content-Type is 'image/jpeg'; bytes of an upload come as {protocol.MEDIA_TYPE}."),
        UnsupportedPicture("This is a PDF document, not a picture of a kind that is taken."),
        description="The body is not declared as bytes of an upload, or the complete file is not a picture",
    ),
    422: problems(
        BrokenPicture("The picture is cut off: the marker that ends a JPEG is missing."),
        InvalidRecipe("There is no built-in recipe 'circle'. Did you mean 'circles'?"),
        description="The recipe is not valid, or the complete picture is broken",
    ),
    460: problems(
        ChecksumMismatch("The sha256 of the bytes does not match."),
        description="The bytes changed in transit; none of them were kept",
    ),
    507: problems(
        DiskFull("The server's disk has 900 MiB left and keeps 1024 MiB in reserve."),
        description="The server's disk is full; the bytes before are kept",
    ),
}

OPTIONS: Final[Operation] = {
    "operation_id": "tus_options",
    "summary": "Capabilities of resumable uploads",
    "tags": ["tus"],
    "responses": {
        204: {
            "description": "Version, extensions, largest upload and checksums",
            "headers": {
                "Tus-Version": {"schema": {"type": "string"}},
                "Tus-Extension": {"schema": {"type": "string"}},
                "Tus-Max-Size": {"schema": _NUMBER},
                "Tus-Checksum-Algorithm": {"schema": {"type": "string"}},
            },
        },
        **ACCESS,
    },
}


def post(max_bytes: int) -> Operation:
    """Return the document's part about beginning an upload of at most ``max_bytes``."""
    length = {"type": "integer", "minimum": 1, "maximum": max_bytes}
    return {
        "operation_id": "tus_begin",
        "summary": "Begin a resumable upload",
        "description": "Speaks tus 1.0.0 (https://tus.io/protocols/resumable-upload). The header "
        "`X-HTTP-Method-Override` replaces the method. The request can contain the first bytes, or all.",
        "tags": ["tus"],
        "openapi_extra": {
            "parameters": [
                _RESUMABLE,
                _header("Upload-Length", "size of the picture in bytes", length),
                _header(
                    "Upload-Metadata",
                    "pairs of a key and Base64: `filename`, and `recipe` (a built-in name, or JSON); others are kept; "
                    f"at most {protocol.METADATA_BYTES:,} bytes besides the recipe",
                    {"type": "string", "format": METADATA_FORMAT},
                    required=False,
                ),
                _CHECKSUM,
            ],
            "requestBody": _body("The first bytes", required=False),
        },
        "responses": {
            201: {
                "description": "The upload has begun. If the request contained all bytes, the picture is stored",
                "headers": {
                    "Location": {
                        "description": "address of the upload, relative to this one",
                        "schema": {"type": "string"},
                    },
                    **_OFFSET_TOLD,
                    **_EXPIRES_TOLD,
                },
                "links": _LINKS,
            },
            **_EVERY,
            **_BYTES,
            **_AWAY,
            431: problems(
                MetadataTooLarge(f"The header Upload-Metadata may have {protocol.METADATA_BYTES:,} bytes."),
                description="The metadata is too large",
            ),
        },
    }


HEAD: Final[Operation] = {
    "operation_id": "tus_offset",
    "summary": "Get the offset of an upload",
    "description": "If the offset equals the length, the picture is stored.",
    "tags": ["tus"],
    "openapi_extra": {"parameters": [_UPLOAD, _RESUMABLE]},
    "responses": {
        200: {
            "description": "Its offset and length",
            "headers": {
                **_OFFSET_TOLD,
                "Upload-Length": {"schema": _NUMBER},
                "Upload-Metadata": {"description": "as it was sent", "schema": {"type": "string"}},
                **_EXPIRES_TOLD,
            },
        },
        **_EVERY,
        **_MISSING,
        **_AWAY,
    },
}

PATCH: Final[Operation] = {
    "operation_id": "tus_append",
    "summary": "Add bytes to an upload",
    "description": "After the last byte the picture is checked and stored before the answer.",
    "tags": ["tus"],
    "openapi_extra": {
        "parameters": [
            _UPLOAD,
            _RESUMABLE,
            _header("Upload-Offset", "offset of the bytes: the number of bytes received so far", _NUMBER),
            _CHECKSUM,
        ],
        "requestBody": _body("The next bytes, or all", required=True),
    },
    "responses": {
        204: {"description": "The bytes are durable", "headers": {**_OFFSET_TOLD, **_EXPIRES_TOLD}},
        **_EVERY,
        **_BYTES,
        **_MISSING,
        409: problems(
            WrongOffset("The upload is at 500, not at 700. Send the bytes from there on.", offset=500),
            description="The upload is at another offset",
        ),
        **_LOCKED,
        **_AWAY,
    },
}

DELETE: Final[Operation] = {
    "operation_id": "tus_end",
    "summary": "End an upload",
    "description": "Removes the received bytes. A stored picture stays; delete it by the API.",
    "tags": ["tus"],
    "openapi_extra": {"parameters": [_UPLOAD, _RESUMABLE]},
    "responses": {204: {"description": "The upload has ended"}, **_EVERY, **_MISSING, **_LOCKED, **_AWAY},
}
