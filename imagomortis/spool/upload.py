"""Defines an upload, a checked picture on its way into the catalog, and its JSON form in the spool."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer, field_validator

FILENAME_LENGTH = 255

# files that are still being transferred: rsync's `.name.XXXXXX`, other hidden files, and the names that browsers,
# WinSCP and editors use
_PARTIAL = re.compile(r"^\.|~$|\.(part|partial|crdownload|filepart|tmp|swp)$", re.IGNORECASE)


class Upload(BaseModel):
    """Everything known about an accepted picture, except its bytes.

    ``sha256`` is the digest of the bytes, ``size`` their number; ``width`` and ``height`` are pixels as displayed.
    ``recipe`` is complete, so later changes of a named recipe do not affect it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    created_at: AwareDatetime
    filename: str = Field(min_length=1, max_length=FILENAME_LENGTH)
    media_type: str
    sha256: bytes = Field(min_length=32, max_length=32)
    size: int = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    recipe: dict[str, Any]
    recipe_digest: str
    recipe_name: str | None = None

    @field_validator("sha256", mode="before")
    @classmethod
    def _from_hex(cls, value: object) -> object:
        return bytes.fromhex(value) if isinstance(value, str) else value

    @field_serializer("sha256")
    def _to_hex(self, value: bytes) -> str:
        return value.hex()

    @property
    def recipe_json(self) -> str:
        """The recipe as JSON text."""
        return json.dumps(self.recipe, ensure_ascii=False)


def clean_filename(name: str | None) -> str:
    """Return a client's file name without folders and control characters, at most 255 characters long."""
    base = PureWindowsPath(PurePosixPath(name or "").name).name
    # NUL cannot be stored in Postgres; the other characters would garble a terminal or a header
    printable = "".join(letter for letter in base if letter.isprintable()).strip()
    if not printable.strip("."):  # empty, or a path to a folder
        return "picture"
    stem, dot, suffix = printable.rpartition(".")
    if not dot or len(suffix) > 10:
        return printable[:FILENAME_LENGTH].rstrip()
    return f"{stem[: FILENAME_LENGTH - len(suffix) - 1]}.{suffix}"


def is_partial(name: str) -> bool:
    """Whether a file with this name is hidden, or still being transferred."""
    return bool(_PARTIAL.search(name))


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour of ``moment``."""
    return moment.replace(minute=0, second=0, microsecond=0)
