"""Keeps the bytes of pictures behind one small interface: in an object store, or in the rows of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from imagomortis.errors import ConfigurationError
from imagomortis.settings import POSTGRES, Settings
from imagomortis.storage.storage import Name, Storage, Stored, name_of, original_name

__all__ = ["Name", "Storage", "Stored", "credentials", "name_of", "opened", "opened_at", "original_name"]

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore


_FAMILIES: Final = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""The prefix of the provider's variables, by the scheme of the URL."""


def opened(settings: Settings) -> ObjectStore | None:
    """Open the object store of the settings; return None if the catalog keeps the bytes in its rows.

    Raises ConfigurationError if the store cannot be used.
    """
    if settings.storage == POSTGRES:
        return None
    try:
        return opened_at(settings, settings.storage)
    except ConfigurationError as error:
        raise ConfigurationError(f"IMAGOMORTIS_STORAGE: {error.detail}") from error


def opened_at(settings: Settings, url: str) -> ObjectStore:
    """Open the object store of a URL, with the credentials of the settings."""
    from imagomortis.storage.object_store import ObjectStore  # takes 5 ms and 16 MB, which `postgres` does not need

    path_style = settings.storage_path_style
    return ObjectStore.of(url, settings.storage_endpoint, credentials(settings, url), path_style=path_style)


def credentials(settings: Settings, *urls: str) -> dict[str, str]:
    """Return the files in the folder of secrets that are named like variables of the providers of the URLs."""
    families = {_FAMILIES.get(urlsplit(url).scheme) for url in urls} - {None}
    files = [path for family in families for path in settings.secrets.glob(f"{family}*")] if settings.secrets else []
    return {path.name: path.read_text(encoding="utf-8").strip() for path in files}
