"""Checks that the object store can be listed, written, read and emptied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from imagomortis.errors import BytesDamaged, ConfigurationError, Unavailable
from imagomortis.storage import opened
from imagomortis_cli.doctor.finding import Finding, fine, skipped, trouble
from imagomortis_cli.doctor.site import Site

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

FOLDER: Final = "doctor"
"""The folder of the check's own object. No picture has a name in it, so the sweep leaves it alone."""

HINTS: Final = {
    "NoSuchBucket": "create the bucket, or correct IMAGOMORTIS_STORAGE",
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "correct AWS_SECRET_ACCESS_KEY, or AWS_REGION",
    "AccessDenied": "give the key the right to list, read, write and delete in the bucket",
    "No credentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
"""What to do, by a word of the store's answer."""


def check(site: Site) -> Iterator[Finding]:
    """Put, list, read and remove an object of its own."""
    settings = site.settings
    try:
        store = opened(settings)
    except ConfigurationError as error:
        yield trouble(error.detail, "correct IMAGOMORTIS_STORAGE")
        return
    if store is None:
        yield skipped("Postgres keeps the bytes of pictures.")
        return
    try:
        try_out(store, FOLDER)
    except (Unavailable, BytesDamaged) as error:
        yield trouble(f"{settings.storage}: {error.detail}", mend(error.detail, "IMAGOMORTIS_STORAGE"))
    else:
        yield fine(f"{settings.storage} can be listed, written, read and emptied.")


def try_out(store: ObjectStore, folder: str) -> None:
    """Put, list, read and remove an object in a folder; raises Unavailable or BytesDamaged.

    Its name is hidden, so a bucket inbox leaves it alone.
    """
    name, data = f"{folder}/.{uuid4()}", b"imagomortis doctor"
    store.put({name: data})
    try:
        if name not in (each.name for each in store.listed(folder=folder)):
            raise BytesDamaged(f"It does not list {name}, which was put there.")
        found = store.get({name: hashlib.sha256(data).digest()})[name]
        if isinstance(found, BytesDamaged):
            raise found
    finally:
        store.delete([name])
    if store.head(name):
        raise BytesDamaged(f"It still has {name}, which was removed.")


def mend(detail: str, setting: str) -> str:
    """Return what to do about an answer of the store that a setting names."""
    known = [hint.replace("IMAGOMORTIS_STORAGE", setting) for word, hint in HINTS.items() if word in detail]
    return known[0] if known else f"start the store, or correct {setting} and IMAGOMORTIS_STORAGE_ENDPOINT"
