"""Manages assets: small pictures, such as a logo or a frame, which recipes lay over others."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path as File
from tempfile import NamedTemporaryFile
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response

from api_service import models, presentation
from api_service.dependencies import Here, Service
from api_service.openapi import BYTES, CONFLICT, NOT_A_PICTURE, NOT_FOUND, PICTURE
from api_service.picture_bytes.conditions import is_unchanged
from api_service.picture_bytes.responses import BYTES_POLICY
from imagomortis.catalog.assets import Asset
from imagomortis.errors import Conflict, NotFound, PictureTooLarge
from imagomortis.picture.header import Header
from imagomortis.recipe.asset_references import NAME
from imagomortis.recipe.assets import LIMITS

router = APIRouter(tags=["assets"])

AssetName = Annotated[str, Path(pattern=NAME, description="the asset's name", examples=["logo"])]

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The picture as a file, in any format of uploads: up to 1 MiB, 8,192 pixels a side and 16.8 "
        "megapixels",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def _body(request: Request) -> bytes:
    return await request.body()


@router.get("/assets")
def list_assets(service: Here) -> list[models.AssetInfo]:
    """Return the assets, by name."""
    return [presentation.asset(asset) for asset in service.catalog.assets.all()]


@router.get("/assets/{name}", response_class=Response, responses={**PICTURE, 304: BYTES[304], **NOT_FOUND})
def asset(service: Here, request: Request, name: AssetName) -> Response:
    """Return the bytes of an asset."""
    found = _found(service, name)
    headers = {
        "ETag": f'"{found.sha256.hex()}"',
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": BYTES_POLICY,
    }
    if is_unchanged(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    data = service.catalog.assets.bytes_of(found.sha256)
    return Response(data, headers=headers, media_type=found.media_type)


@router.put("/assets/{name}", responses=NOT_A_PICTURE, openapi_extra=_BODY)
def save_asset(service: Here, name: AssetName, data: Annotated[bytes, Depends(_body)]) -> models.AssetInfo:
    """Store a picture under a name, or replace the one that has it. Recipes that use the former one keep it."""
    return presentation.asset(service.catalog.assets.save(name, data, _checked(service, data)))


@router.delete("/assets/{name}", status_code=HTTPStatus.NO_CONTENT, responses={**NOT_FOUND, **CONFLICT})
def delete_asset(service: Here, name: AssetName) -> Response:
    """Delete an asset that no saved recipe uses. Images that use it keep its picture."""
    if using := service.catalog.assets.recipes_with(name):
        names = ", ".join(map(repr, using))
        raise Conflict(
            f"The asset {name!r} is used by the recipes {names}. Change or delete these first.", recipes=using
        )
    if not service.catalog.assets.delete(name):
        raise _missing(name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _checked(service: Service, data: bytes) -> Header:
    """Decode a picture in a sandbox, as the uploader does; raise RefusedPicture."""
    with NamedTemporaryFile() as file, service.previews.borrow() as sandbox:
        file.write(data)
        file.flush()
        header = sandbox.check(File(file.name))
    if reason := LIMITS.reason(header.width, header.height):
        raise PictureTooLarge(f"The asset has {reason}. Make it smaller and send it again.")
    return header


def _found(service: Service, name: str) -> Asset:
    found = service.catalog.assets.one(name)
    if found is None:
        raise _missing(name)
    return found


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no asset {name!r}. GET /assets lists those that there are.")
