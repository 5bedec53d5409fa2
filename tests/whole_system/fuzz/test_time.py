"""Every reader of bytes from outside takes or refuses whatever comes, in a time that grows with its length."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagomortis.sandbox.processor_time import processor_limit
from tests.support.pictures import photo
from tests.whole_system.fuzz.samples import PLACES, SAMPLES, UNITS
from tests.whole_system.fuzz.targets import TARGETS

LONG = 100_000
MOST_SECONDS = 0.5
"""What so many bytes may take: 0.05 s, with a margin of ten for slow machines; what is not linear takes minutes."""


def read_in_time(target: str, data: bytes) -> None:
    """Let a reader read, and stop it with a failure if that takes it too long."""
    seconds = MOST_SECONDS * max(1, len(data) / LONG)
    too_long = AssertionError(f"{target} takes over {seconds:.1f} s for {len(data):,} bytes")
    began = time.thread_time()
    with processor_limit(10 * seconds, too_long):  # of the whole process; it stops what would go on
        TARGETS[target](data)
    if time.thread_time() - began > seconds:
        raise too_long


@lru_cache
def samples(target: str) -> tuple[bytes, ...]:
    return tuple(make() for make in SAMPLES[target])


def damaged(target: str) -> st.SearchStrategy[bytes]:
    """Proper input with a few bytes overwritten, mostly where its structure is, or taken out."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(samples(target))))
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, min(len(data), 400) - 1) | st.integers(-min(len(data), 80), -1)) % len(data)
            data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
            data = data or bytearray(1)
        return bytes(data)

    return build()


def swollen(target: str) -> st.SearchStrategy[bytes]:
    """Proper input with a piece, its own or one that is made to be slow, repeated somewhere in it."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(samples(target)))
        at, start = draw(st.integers(0, len(data))), draw(st.integers(0, len(data) - 1))
        own = data[start : start + draw(st.integers(1, 60))]
        unit = draw(st.sampled_from([own, *UNITS.get(target, ())]) | st.binary(min_size=1, max_size=16))
        return data[:at] + unit * (LONG // len(unit)) + data[at:]

    return build()


# the same inputs each time: what is new is for the coverage-guided rounds of `make soak` to find
@pytest.mark.parametrize("target", TARGETS)
@given(chance=st.data())
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
def test_any_input_is_accepted_or_refused_in_time(target: str, chance: st.DataObject) -> None:
    read_in_time(target, chance.draw(st.binary(max_size=2000) | damaged(target) | swollen(target)))


@pytest.mark.parametrize(
    ("target", "unit"), [(target, unit) for target, units in UNITS.items() for unit in units], ids=repr
)
def test_pieces_that_are_made_to_be_slow_are_read_in_time(target: str, unit: bytes) -> None:
    whole, pieces = samples(target)[0], unit * (LONG // len(unit))
    at = PLACES.get(target, len(whole))
    data = whole[:at] + pieces + whole[at:]
    if target == "webp":
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    read_in_time(target, data)
    read_in_time(target, pieces)


def tiff_of_one_directory_many_times(pages: int, inner: int) -> bytes:
    """Return a TIFF whose first directory names another one, of many entries, again and again."""
    start = 8 + 2 + 3 * 12 + 4
    numbers = (256, 4, 1, 10), (257, 4, 1, 10), (330, 4, pages, start)
    first = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *each) for each in numbers) + bytes(4)
    entries = b"".join(struct.pack("<HHII", 1000 + each, 4, 1, 0) for each in range(inner))
    at = start + 4 * pages
    return b"".join(
        (b"II*\0", struct.pack("<I", 8), first, struct.pack("<I", at) * pages, struct.pack("<H", inner), entries)
    ) + bytes(4)


def tiff_of_one_list_many_times(pages: int, strips: int) -> bytes:
    """Return a TIFF of many pages that all point to one long list of strips."""
    each = 2 + 4 * 12 + 4
    where = 8 + pages * each
    body = b""
    for page in range(pages):
        tags = (256, 4, 1, 1), (257, 4, 1, 1), (273, 4, strips, where), (279, 4, strips, where)
        body += struct.pack("<H", 4) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        body += struct.pack("<I", 8 + (page + 1) * each if page + 1 < pages else 0)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) * strips


def heic_of_many_lists(lists: int) -> bytes:
    """Return boxes of which each of many lists of properties claims all bytes behind it."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    claim = box(b"ipma", struct.pack(">BBHI", 0, 0, 0, 65_536))
    properties = box(b"ipco", b"") + claim * lists
    inner = box(b"pitm", struct.pack(">IH", 0, 65_535)) + box(b"iprp", properties)
    return box(b"ftyp", b"heic\0\0\0\0mif1") + box(b"meta", bytes(4) + inner)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "comments-in-markup": lambda: b"<!---->" * 40,
    "fill-bytes-in-a-jpeg": lambda: photo(64, 48)[:-2] + b"\xff" * LONG + b"\0\xff\xd9",
    "a-directory-of-a-tiff-many-times": lambda: tiff_of_one_directory_many_times(10_000, 5_000),
    "a-list-of-a-tiff-many-times": lambda: tiff_of_one_list_many_times(900, 12_500),
    "lists-of-a-heic-that-claim-too-much": lambda: heic_of_many_lists(6_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_in_time(name: str) -> None:
    read_in_time("picture", HOSTILE[name]())
