"""Opens the spool that the settings name: a folder or an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from imagomortis import storage
from imagomortis.errors import ConfigurationError
from imagomortis.spool.resumable import ResumableUploads
from imagomortis.spool.spool import Spool

if TYPE_CHECKING:
    from imagomortis.settings import Settings
    from imagomortis.spool.any_spool import AnySpool, AnyUploads
    from imagomortis.spool.object_spool import ObjectSpool


def opened(settings: Settings) -> AnySpool:
    """Return the spool of the settings; raises ConfigurationError if its object store cannot be used."""
    if not settings.spool_url:
        return Spool(settings.spool_folder, settings.disk_reserve_bytes)
    from imagomortis.spool.object_spool import ObjectSpool  # obstore takes 5 ms and 16 MB, which a folder does not need

    try:
        store = storage.opened_at(settings, settings.spool_url)
    except ConfigurationError as error:
        raise ConfigurationError(f"IMAGOMORTIS_SPOOL: {error.detail}") from error
    return ObjectSpool(store, settings.spool_folder, settings.disk_reserve_bytes)


def uploads_of(spool: AnySpool, settings: Settings) -> AnyUploads:
    """Return the uploads of a spool that arrive in pieces, with the limits of the settings."""
    keep = settings.upload_keep_seconds
    limits = {"most_uploads": settings.max_unfinished_uploads, "most_bytes": settings.max_unfinished_bytes}
    if isinstance(spool, Spool):
        return ResumableUploads(spool, keep, **limits)
    from imagomortis.spool.pieces import ObjectUploads

    return ObjectUploads(cast("ObjectSpool", spool), keep, **limits)
