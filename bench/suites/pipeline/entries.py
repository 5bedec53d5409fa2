"""Fills a spool as the uploader does: with one picture, or with thousands that become visible at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final
from uuid import UUID, uuid4

from imagomortis.recipe.recipe import DEFAULT, builtin
from imagomortis.spool.drafts import ORIGINAL
from imagomortis.spool.spool import META, Spool
from imagomortis.spool.upload import Upload
from tests.support.pictures import photo
from tests.support.uploads import upload

WIDTH: Final = 384
HEIGHT: Final = 256
QUALITY: Final = 95
"""The quality of the JPEGs, which makes them about 25 KB large."""


@cache
def pictures(count: int = 50) -> Sequence[bytes]:
    """Return ``count`` different pictures."""
    return [photo(WIDTH, HEIGHT, seed, QUALITY) for seed in range(count)]


def store(spool: Spool, data: bytes) -> UUID:
    """Store one of the pictures, with the default recipe, as durably as the uploader does; return its id."""
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        spool.store(draft, _upload(draft.id, data))
    return draft.id


def stage(staging: Spool, count: int, datas: Sequence[bytes] = ()) -> None:
    """Put ``count`` entries into an empty spool without a pusher, and sync all of them at once."""
    datas = datas or pictures()
    shutil.rmtree(staging.folder, ignore_errors=True)
    staging.prepare()
    for number in range(count):
        data, arrival = datas[number % len(datas)], uuid4()
        folder = staging.ready / str(arrival)
        folder.mkdir()
        (folder / ORIGINAL).write_bytes(data)
        (folder / META).write_text(_upload(arrival, data).model_dump_json(), encoding="utf-8")
    os.sync()


def _upload(identifier: UUID, data: bytes) -> Upload:
    recipe = builtin()[DEFAULT].recipe
    return upload(
        data,
        datetime.now(UTC),
        id=identifier,
        width=WIDTH,
        height=HEIGHT,
        recipe=recipe.as_json(),
        recipe_digest=recipe.digest,
        recipe_name=DEFAULT,
    )


def release(staging: Spool, spool: Spool) -> None:
    """Make all staged entries visible to a pusher; both spools are on one disk."""
    for folder in staging.ready.iterdir():
        folder.rename(spool.ready / folder.name)
