"""Assembles a form with pictures: it writes files to drafts of the spool as they arrive, and keeps the recipe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

from imagomortis.errors import ImagoMortisError, InvalidRecipe, InvalidRequest, PictureTooLarge
from imagomortis.recipe.recipe import MOST_BYTES as RECIPE_BYTES
from imagomortis.spool.upload import clean_filename
from upload_service.body import MIB, Body
from upload_service.form.multipart import EXAMPLE, Event, FormReader, PartBegan, PartData, PartEnded
from upload_service.store.intake import Arrival, DraftFile, Intake

MAX_PARTS: Final = 1000
"""Files and other fields in one request."""

PORTION_BYTES: Final = 512 * 1024
"""Bytes of a file that are held in memory before they are written."""


@dataclass(frozen=True)
class Refused:
    """A refused file, and the reason."""

    filename: str
    error: ImagoMortisError


@dataclass
class Form:
    """The received form: its files in order, and the text of its recipe."""

    files: list[Arrival | Refused] = field(default_factory=list)
    recipe: str | None = None


async def receive(body: Body, reader: FormReader, intake: Intake, drafts: AsyncExitStack, max_bytes: int) -> Form:
    """Return the complete form; its drafts live as long as ``drafts``.

    A file of more than ``max_bytes`` is refused without its form. Raises the errors of ``body`` and ``reader``.
    Raises InvalidRequest for a form without files or with too many parts, InvalidRecipe for a recipe that is not text
    or too long, and DiskFull or Unavailable.
    """
    assembly = _Assembly(intake, drafts, lambda: intake.promises.make(body), max_bytes)
    try:
        async for chunk in body.chunks():
            for event in reader.feed(chunk):
                await assembly.take(event)
    finally:
        intake.promises.end(body)
    reader.close()
    if not assembly.form.files:
        raise InvalidRequest(f"The form has no field `file` with a picture. For example: {EXAMPLE}")
    return assembly.form


class _Assembly:
    """Assembles a form from the events of its parts."""

    def __init__(self, intake: Intake, drafts: AsyncExitStack, promise: Callable[[], None], max_bytes: int) -> None:
        self.form = Form()
        self._intake = intake
        self._drafts = drafts
        self._promise = promise
        self._max_bytes = max_bytes
        self._parts = 0
        self._part: _Part = _Ignored()

    async def take(self, event: Event) -> None:
        match event:
            case PartBegan(name, filename):
                self._part = await self._begin(name, filename)
            case PartData(data):
                await self._part.write(data)
            case PartEnded():
                await self._part.end()

    async def _begin(self, name: str, filename: str | None) -> _Part:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS:,} parts. Send its files in several requests.")
        if name == "recipe":
            return _Recipe(self.form)
        if name != "file":
            return _Ignored()
        draft = await self._drafts.enter_async_context(self._intake.draft(self._promise))
        return _File(self.form, self._intake, draft, filename, self._max_bytes)


class _Part(Protocol):
    async def write(self, data: bytearray) -> None: ...

    async def end(self) -> None: ...


class _Ignored:
    """An unknown field, which is ignored."""

    async def write(self, data: bytearray) -> None:
        pass

    async def end(self) -> None:
        pass


class _Recipe:
    """The field ``recipe``."""

    def __init__(self, form: Form) -> None:
        if form.recipe is not None:
            raise InvalidRequest("The form has the field `recipe` more than once. Send one recipe for all its files.")
        self._form = form
        self._text = bytearray()

    async def write(self, data: bytearray) -> None:
        self._text += data
        if len(self._text) > RECIPE_BYTES:
            raise InvalidRecipe(f"The recipe has more than {RECIPE_BYTES:,} bytes. Make it shorter.")

    async def end(self) -> None:
        try:
            self._form.recipe = self._text.decode()
        except UnicodeDecodeError:
            raise InvalidRecipe("The recipe is not UTF-8 text.") from None


class _File:
    """A field ``file``; its bytes are collected into portions, because each write needs another thread."""

    def __init__(self, form: Form, intake: Intake, draft: DraftFile, filename: str | None, max_bytes: int) -> None:
        self._form = form
        self._intake = intake
        self._draft = draft
        self._filename = filename
        self._max_bytes = max_bytes
        self._size = 0
        self._portion = bytearray()

    async def write(self, data: bytearray) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            self._portion.clear()
            return
        self._portion += data
        if len(self._portion) >= PORTION_BYTES:
            portion, self._portion = self._portion, bytearray()
            await self._intake.run(lambda: self._draft.append([portion]))

    async def end(self) -> None:
        if self._size == 0 and not self._filename:
            return  # a browser sends this for a field without a chosen file
        if self._size <= self._max_bytes:
            self._form.files.append(await self._intake.run(lambda: self._draft.finish(self._filename, [self._portion])))
            return
        error = PictureTooLarge(
            f"The file has more than {self._max_bytes / MIB:.4g} MiB, the limit for one picture. Make the picture "
            "smaller and upload it again."
        )
        self._form.files.append(Refused(clean_filename(self._filename), error))
