"""Reads IMAGOMORTIS_INBOXES: the places in object stores from which objects of other programs are taken in."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

TAKEN: Final = "taken"
REJECTED: Final = "rejected"
"""The folders beside a source to which its objects are moved."""


class Take(StrEnum):
    """Whether an object moves, is deleted or stays at its source after it was stored."""

    MOVE = "move"
    DELETE = "delete"
    KEEP = "keep"


class InboxSource(BaseModel):
    """A prefix of an object store whose objects are taken in, and how.

    ``recipe`` is the name of a built-in recipe or JSON; an empty text is the default recipe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    recipe: str = ""
    take: Take = Take.MOVE

    @field_validator("url")
    @classmethod
    def _ends_without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("recipe", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return json.dumps(value) if isinstance(value, dict) else value

    @cached_property
    def root(self) -> str:
        """The URL of the store that is opened: the place above the source, where its other folders are."""
        return self.url.rpartition("/")[0] if self._has_path else self.url

    @cached_property
    def folder(self) -> str:
        """The source's name below ``root``; empty if the source is a whole bucket."""
        return self.url.rpartition("/")[2] if self._has_path else ""

    @property
    def beside(self) -> list[str]:
        """The URLs of the folders to which its objects are moved."""
        names = {Take.MOVE: [TAKEN, REJECTED], Take.DELETE: [REJECTED], Take.KEEP: []}[self.take]
        return [f"{self.root}/{name}" for name in names]

    @property
    def _has_path(self) -> bool:
        return re.fullmatch(r"[a-z0-9]+://[^/]+", self.url) is None


_SOURCES: Final = TypeAdapter(list[InboxSource])


def parsed(text: str) -> list[InboxSource]:
    """Return the sources of a JSON list, or of URLs with commas between them; raise ValueError if that fails."""
    if not text.lstrip().startswith("["):
        return [InboxSource(url=url.strip()) for url in text.split(",") if url.strip()]
    try:
        return _SOURCES.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = " ".join(str(each) for each in problem["loc"])
        raise ValueError(f"{place}: {problem['msg']}".removeprefix(": ")) from None


def check(source: InboxSource) -> None:
    """Raise ValueError if a source has no place for the objects that are moved away."""
    if source.beside and not source.folder:
        raise ValueError(
            f"{source.url!r} is a whole bucket, so nothing is beside it: name a folder in it, or keep its objects "
            'with {"take": "keep"}'
        )
