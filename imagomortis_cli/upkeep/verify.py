"""Verifies every picture, and resumes an interrupted verification."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ValidationError

from imagomortis import privacy
from imagomortis.catalog import Catalog
from imagomortis.catalog.images import Picture

FILE: Final = "verify.json"
"""The file in the home with the progress of a verification."""

SAVE_SECONDS: Final = 2.0
"""How often the progress is saved."""

Advance = Callable[[int], object]


class Damage(BaseModel):
    """A damaged picture: its image, its kind, and what is wrong."""

    id: UUID
    filename: str
    kind: str
    problem: str


class Report(BaseModel):
    """The progress of a verification and its findings; ``after`` is the last image that was read completely."""

    database: str
    after: UUID = UUID(int=0)
    images: int = 0
    pictures: int = 0
    bytes: int = 0
    damaged: list[Damage] = []

    @property
    def to_retry(self) -> list[UUID]:
        """The images whose renditions can be made again, because their original is intact."""
        lost = set(self.lost)
        return list(dict.fromkeys(each.id for each in self.damaged if each.id not in lost))

    @property
    def lost(self) -> list[UUID]:
        """The images whose original is damaged."""
        return [each.id for each in self.damaged if each.kind == "original"]


def begin(catalog: Catalog, state: Path | None, *, restart: bool = False) -> Report:
    """Return the report to continue: the one in the file, unless it is of another database, or a new one."""
    database = catalog.images.place().epoch
    if state and not restart:
        with suppress(FileNotFoundError, ValidationError):  # there is none, or it was being written
            found = Report.model_validate_json(state.read_text(encoding="utf-8"))
            if found.database == database:
                return found
    return Report(database=database)


def verify(catalog: Catalog, report: Report, state: Path | None, advance: Advance) -> None:
    """Read the pictures that the report does not cover yet, and add them; only an interruption keeps the file."""
    saved = time.monotonic()
    try:
        while page := catalog.verification.pictures(report.after):
            for _, pictures in groupby(page, key=lambda picture: picture.image_id):
                _verify_image(catalog, list(pictures), report, advance)
                if time.monotonic() - saved > SAVE_SECONDS:
                    _save(report, state)
                    saved = time.monotonic()
    except BaseException:  # including Ctrl-C
        _save(report, state)
        raise
    if state:
        state.unlink(missing_ok=True)


def _verify_image(catalog: Catalog, pictures: Sequence[Picture], report: Report, advance: Advance) -> None:
    """Read all pictures of an image before adding it to the report, so that an interruption reads it again."""
    found = [(picture, catalog.verification.problem(picture, advance)) for picture in pictures]
    report.damaged += [
        Damage(id=picture.image_id, filename=picture.filename, kind=picture.kind, problem=problem)
        for picture, problem in found
        if problem
    ]
    report.after = pictures[0].image_id
    report.images += 1
    report.pictures += len(pictures)
    report.bytes += sum(picture.size for picture in pictures)


def _save(report: Report, state: Path | None) -> None:
    if state:
        aside = state.with_name(f"{state.name}.new")
        with privacy.kept():  # it contains file names
            aside.write_text(report.model_dump_json(), encoding="utf-8")
        aside.replace(state)
