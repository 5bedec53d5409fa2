"""The spools: a folder, and object stores that are a folder or a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from imagomortis.spool.any_spool import AnySpool, AnyUploads
from imagomortis.spool.object_spool import ObjectSpool, Pace
from imagomortis.spool.pieces import ObjectUploads
from imagomortis.spool.resumable import ResumableUploads
from imagomortis.spool.spool import Spool
from imagomortis.storage.object_store import ObjectStore

AT_ONCE: Final = Pace(0, 0, 0)


@dataclass(frozen=True)
class Side:
    """The spool as one process sees it."""

    spool: AnySpool
    uploads: Callable[..., AnyUploads]


Open = Callable[[str], Side]


@pytest.fixture(params=["folder", "file", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open one spool by processes with different names, each with a disk of its own if the spool needs none."""
    if request.param == "folder":
        return lambda _: _of_folder(tmp_path / "spool")
    store = ObjectStore.of(f"file://{tmp_path}/objects")
    if request.param == "s3":
        store = request.getfixturevalue("s3_server").store()
    return lambda name: _of_store(store, tmp_path / name)


def _of_folder(folder: Path) -> Side:
    spool = Spool(folder)
    spool.prepare()
    return Side(spool, lambda keep, **limits: ResumableUploads(spool, keep, **limits))


def _of_store(store: ObjectStore, disk: Path) -> Side:
    spool = ObjectSpool(store, disk, pace=AT_ONCE)
    spool.prepare()
    return Side(spool, lambda keep, **limits: ObjectUploads(spool, keep, **limits))
