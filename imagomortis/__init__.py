"""The domain of ImagoMortis: pictures, recipes, the spool and the catalog."""

from __future__ import annotations


def version() -> str:
    """Return the installed version; looked up when it is asked for, since decoding children start often."""
    from importlib import metadata

    return metadata.version("imagomortis")
