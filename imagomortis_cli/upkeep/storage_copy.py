"""Copies the bytes of all pictures from one storage to another, while the system works.

Objects that the target lists already are not copied again, so an interrupted copy continues where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import Picture
from imagomortis.errors import BytesDamaged, NotFound
from imagomortis.storage import Storage, Stored, name_of
from imagomortis.storage.batches import batches

Advance = Callable[[int], object]


@dataclass
class Copied:
    """The number of copied objects, their bytes, and the names of the objects that the source lost or changed."""

    objects: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)


def copy(catalog: Catalog, source: Storage, target: Storage, advance: Advance) -> Copied:
    """Copy the missing objects until the target has all of them, also those of new pictures.

    ``advance`` gets the bytes of each picture that the target has. Raises Unavailable.
    """
    copied = Copied()
    if _pass(catalog, source, target, copied, advance):
        while _pass(catalog, source, target, copied, lambda _: None):  # the bar is full
            pass
    return copied


def remove(catalog: Catalog, source: Storage, target: Storage) -> int:
    """Remove the objects from the source that the target has; return their number."""
    removed = 0
    compared = _compared(_pictures(catalog), target.listed())
    present = ((name, picture) for name, picture, is_present in compared if is_present)
    for batch in batches(present, _size):
        source.delete([name for name, _ in batch])
        removed += len(batch)
    return removed


def _pass(catalog: Catalog, source: Storage, target: Storage, copied: Copied, advance: Advance) -> int:
    """Copy the objects that the target's list lacks; return their number."""
    before = copied.objects
    for batch in batches(_missing(_pictures(catalog), target.listed(), advance), _size):
        found = source.get({name: picture.sha256 for name, picture in batch})
        whole = {name: data for name, data in found.items() if not isinstance(data, BytesDamaged)}
        with suppress(NotFound):  # one was deleted meanwhile, so Postgres has no row for it
            target.put(whole, {name: picture.media_type for name, picture in batch})
        copied.objects += len(whole)
        copied.bytes += sum(map(len, whole.values()))
        advance(sum(map(len, whole.values())))
        lost = [name for name, picture in batch if name not in whole and catalog.verification.is_current(picture)]
        copied.damaged = list(dict.fromkeys([*copied.damaged, *lost]))
    return copied.objects - before


def _pictures(catalog: Catalog) -> Iterator[tuple[str, Picture]]:
    """Yield each picture of the catalog with its object's name, in the order of the names."""
    after = UUID(int=0)
    while page := catalog.verification.pictures(after):
        named = ((name_of(picture.image_id, picture.kind, picture.sha256), picture) for picture in page)
        yield from sorted(named, key=lambda each: each[0])
        after = page[-1].image_id


def _missing(
    pictures: Iterable[tuple[str, Picture]], present: Iterator[Stored], advance: Advance
) -> Iterator[tuple[str, Picture]]:
    for name, picture, is_present in _compared(pictures, present):
        if is_present:
            advance(picture.size)
        else:
            yield name, picture


def _compared(
    pictures: Iterable[tuple[str, Picture]], present: Iterator[Stored]
) -> Iterator[tuple[str, Picture, bool]]:
    """Merge two lists that are in the order of the names; yield each picture and whether the target has it."""
    here = next(present, None)
    for name, picture in pictures:
        while here and here.name < name:
            here = next(present, None)
        yield name, picture, here is not None and (here.name, here.size) == (name, picture.size)


def _size(named: tuple[str, Picture]) -> int:
    return named[1].size
