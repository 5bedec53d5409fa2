"""Serves uploads by the smallest FastAPI application that checks and stores as durably: the uploader's floor.

python -m bench.suites.floors.upload SPOOL PORT
"""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI, UploadFile

from imagomortis.picture.header import Header, Limits
from imagomortis.recipe.recipe import DEFAULT, builtin
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.spool.drafts import Draft
from imagomortis.spool.spool import Spool
from imagomortis.spool.upload import Upload

MIB = 1024 * 1024


def create_app(folder: Path) -> FastAPI:
    """Return an application with one conventional route: FastAPI reads the form; the route checks, copies and syncs."""
    spool = Spool(folder)
    spool.prepare()
    pool = SandboxPool(2, Limits(), 2048 * MIB, 120)
    recipe = builtin()[DEFAULT].recipe
    app = FastAPI()

    @app.post("/upload", status_code=201)
    def upload(file: UploadFile) -> dict[str, str]:
        with spool.draft() as draft:
            digest = _copy(file, draft)
            with pool.borrow() as sandbox:
                header = sandbox.check(draft.original)
            spool.store(draft, _upload(draft, file, header, digest))
        return {"uuid": str(draft.id), "filename": file.filename or ""}

    def _upload(draft: Draft, file: UploadFile, header: Header, digest: bytes) -> Upload:
        return Upload(
            id=draft.id,
            created_at=datetime.now(UTC),
            filename=file.filename or "picture",
            media_type=header.media_type,
            sha256=digest,
            size=header.size,
            width=header.width,
            height=header.height,
            recipe=recipe.as_json(),
            recipe_digest=recipe.digest,
            recipe_name=DEFAULT,
        )

    return app


def _copy(file: UploadFile, draft: Draft) -> bytes:
    digest = hashlib.sha256()
    with draft.original.open("wb") as target:
        while chunk := file.file.read(MIB):
            digest.update(chunk)
            target.write(chunk)
    return digest.digest()


if __name__ == "__main__":
    uvicorn.run(
        create_app(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", loop="uvloop", http="httptools"
    )
