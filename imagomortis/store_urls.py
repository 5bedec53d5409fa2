"""Reads the URLs of object stores. It imports little, because every decoder imports it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

STORE: Final = r"(s3|gs|az)://[^/]|file:///."

EXPORT_ROOT: Final = r"(?:(?:s3|gs|az)://[^\x00-\x20\x7f?#%\\/{}@:]+|file://)"
EXPORT_PATH: Final = r"[^\x00-\x1f\x7f?#%\\]+"
"""Regular expressions of the two halves of an exported output's URL, which nothing needs to decode."""


def check_export_target(url: str) -> None:
    """Raise ValueError if exports cannot go below this URL."""
    found = re.fullmatch(rf"{EXPORT_ROOT}(/{EXPORT_PATH})?", url.rstrip("/"))
    if found is None or re.search(r"[{}]|//|/\.\.?(/|$)", found[1] or ""):
        raise ValueError(
            f"{url!r} should begin with s3://, gs://, az:// or file:///; its path cannot have %, ?, #, a "
            "backslash, a brace, an empty part, or a part called . or .."
        )


def overlap(one: str, other: str) -> bool:
    """Return whether the URL of a store contains the other one, or is inside it."""
    first, second = _place(one), _place(other)
    return first.startswith(second) or second.startswith(first)


def _place(url: str) -> str:
    """Return the URL of a store in the one spelling that can be compared, with a slash at its end."""
    parts = urlsplit(url)
    path = posixpath.normpath(f"/{unquote(parts.path).strip('/')}")
    if parts.scheme == "file":
        path = str(Path(path).resolve())
    return f"{parts.scheme}://{parts.hostname or ''}{path.rstrip('/')}/"
