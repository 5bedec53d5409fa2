"""Names the objects to which a recipe exports its outputs, for example ``s3://bucket/prefix/{stem}-{output}.{ext}``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from imagomortis.errors import InvalidRecipe
from imagomortis.store_urls import EXPORT_PATH, EXPORT_ROOT

MOST_CHARACTERS: Final = 500
"""Of a target."""

MOST_PART_BYTES: Final = 250
"""Of a part of a path. Folders allow 255 for a name, and a file has a longer name while it is written."""

MOST_KEY_BYTES: Final = 1024
"""Of a path, as S3 allows."""

MOST_STEM_BYTES: Final = 150
"""Of a file name."""

PLACEHOLDERS: Final = {"id": 36, "stem": MOST_STEM_BYTES, "output": 32, "ext": 4, "date": 10}
"""The image's id, its file name without suffix, the output's name, the suffix of its format and the day of the upload,
each with the bytes of the longest value."""

SUFFIXES: Final[Mapping[str, str]] = {"image/jpeg": "jpg", "image/tiff": "tif"}
"""The suffixes of media types that have another name than their format."""

_URL: Final = re.compile(rf"{EXPORT_ROOT}/({EXPORT_PATH})")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def checked(target: str) -> str:
    """Return a target that names one object for each output of each image; raise ValueError for any other."""
    if len(target) > MOST_CHARACTERS:
        raise ValueError(f"an export target has at most {MOST_CHARACTERS} characters")
    found = _URL.fullmatch(target)
    if found is None:
        raise ValueError(
            "an export target is a URL such as s3://bucket/prefix/{stem}-{output}.{ext}; the schemes are s3, gs, az "
            "and file, and its path holds no %, ?, # or backslash"
        )
    names = placeholders(target)
    if unknown := [name for name in names if name not in PLACEHOLDERS]:
        raise ValueError(
            f"an export target has no placeholder {{{unknown[0][:100]}}}; there are "
            + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        )
    if re.search(r"[{}]", _PLACEHOLDER.sub("", target)):
        raise ValueError("an export target has a { or } that belongs to no placeholder")
    if len({*names}) < len(names):
        raise ValueError("an export target has each placeholder once")
    _check_path(found[1])
    if not {"id", "stem"} & {*names}:
        raise ValueError("an export target needs {id} or {stem}; otherwise each image would replace the one before")
    if not target.endswith(".{ext}"):
        raise ValueError("an export target ends in .{ext}; a web server could run a file with another suffix")
    return target


def _check_path(path: str) -> None:
    """Raise ValueError if a store would change the path, or has no room for the longest one."""
    if {"", ".", ".."} & {*path.split("/")}:
        raise ValueError("an export target cannot have an empty part, or a part called . or ..")
    longest = _PLACEHOLDER.sub(lambda found: "a" * PLACEHOLDERS[found[1]], path).encode()
    if len(longest) > MOST_KEY_BYTES or max(map(len, longest.split(b"/"))) > MOST_PART_BYTES:
        raise ValueError(
            f"an export target's path has at most {MOST_KEY_BYTES} bytes, and each of its parts {MOST_PART_BYTES}; "
            "placeholders count as " + ", ".join(f"{{{name}}} {length}" for name, length in PLACEHOLDERS.items())
        )


def placeholders(target: str) -> list[str]:
    """Return the names between braces."""
    return _PLACEHOLDER.findall(target)


def filled_in(target: str, *, image_id: UUID, filename: str, created_at: datetime, output: str, media_type: str) -> str:
    """Return the URL of one output of an image."""
    values = {
        "id": str(image_id),
        "stem": _safe(filename.rpartition(".")[0] or filename),
        "output": output,
        "ext": SUFFIXES.get(media_type, media_type.partition("/")[2]),
        "date": f"{created_at.astimezone(UTC):%Y-%m-%d}",
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], target)


def prefix_of(target: str, prefixes: Sequence[str]) -> str:
    """Return the allowed prefix, with a slash at its end, that contains every object of a target.

    Raises InvalidRecipe if the operator allows none.
    """
    fixed = target.partition("{")[0]
    for prefix in prefixes:
        if fixed.startswith(prefix):
            return prefix
    allowed = f"Allowed are URLs below {', '.join(prefixes)}" if prefixes else "No exports are allowed"
    raise InvalidRecipe(
        f"The recipe exports to {target}. {allowed}; the operator can change IMAGOMORTIS_EXPORT_TARGETS."
    )


def _safe(stem: str) -> str:
    """Return a file name that is one part of a path everywhere: letters, their marks, digits, spaces, ``-_.()``."""
    composed = unicodedata.normalize("NFC", stem)
    plain = "".join(letter if _is_plain(letter) else "_" for letter in composed).strip(" .")
    return plain.encode()[:MOST_STEM_BYTES].decode(errors="ignore").strip(" .") or "picture"


def _is_plain(letter: str) -> bool:
    return re.match(r"[\w \-.()]", letter) is not None or unicodedata.category(letter).startswith("M")
