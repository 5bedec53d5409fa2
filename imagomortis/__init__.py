"""The domain of ImagoMortis: pictures, recipes, the spool and the catalog."""

from __future__ import annotations


def version() -> str:
    """Return the installed version. The import is lazy, because sandbox children start often."""
    from importlib import metadata

    return metadata.version("imagomortis")
