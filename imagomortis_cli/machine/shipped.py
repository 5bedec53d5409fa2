"""Finds files that come with the program: at the top of a checkout, or beside this package if it is installed."""

from __future__ import annotations

from pathlib import Path

from imagomortis.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent


def file(name: str) -> Path:
    """Return the path of ``dagster.yaml`` or ``workspace.yaml``; ConfigurationError if the installation lacks it."""
    for folder in (_PACKAGE, _CHECKOUT):
        if (found := folder / name).is_file():
            return found
    raise ConfigurationError(f"This installation lacks its file {name}: install it again.")


def page() -> Path | None:
    """Return the folder of the built page; None if it has not been built."""
    for folder in (_PACKAGE / "page", _CHECKOUT / "webui" / "dist"):
        if (folder / "index.html").is_file():
            return folder
    return None
