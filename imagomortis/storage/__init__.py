"""Keeps the bytes of pictures behind one small interface: in an object store, or in the rows of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagomortis.settings import Settings
from imagomortis.storage.storage import POSTGRES, Name, Storage, Stored, name_of, original_name

__all__ = ["POSTGRES", "Name", "Storage", "Stored", "name_of", "opened", "original_name"]

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore


def opened(settings: Settings) -> ObjectStore | None:
    """Open the object store of the settings; return None if the catalog keeps the bytes in its rows.

    Raises ConfigurationError if the store cannot be used.
    """
    if settings.storage == POSTGRES:
        return None
    from imagomortis.storage.object_store import ObjectStore  # takes 5 ms and 16 MB, which `postgres` does not need

    return ObjectStore.of(settings.storage, settings.storage_endpoint, path_style=settings.storage_path_style)
