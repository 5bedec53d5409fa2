"""Forms, whatever the pieces in which they arrive."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagomortis.errors import InvalidRequest
from tests.upload_service.uploader import BOUNDARY, form
from upload_service.form.multipart import FormReader, NotMultipart, PartBegan, PartData, PartEnded, boundary_of

Part = tuple[str, str | None, bytes]


def read(pieces: list[bytes]) -> list[Part]:
    """Return the parts of a form that comes in pieces."""
    reader, parts = FormReader(BOUNDARY.encode()), list[Part]()
    for piece in pieces:
        for event in reader.feed(piece):
            match event:
                case PartBegan(name, filename):
                    parts.append((name, filename, b""))
                case PartData(data):
                    name, filename, before = parts.pop()
                    parts.append((name, filename, before + data))
                case PartEnded():
                    parts.append(("ended", None, b""))
    reader.close()
    assert parts[1::2] == [("ended", None, b"")] * (len(parts) // 2)
    return parts[::2]


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


# data that nearly is a boundary is what a parser may stumble over
PIECES = st.sampled_from(
    [b"\r\n", b"\r", b"--", b"-", b"\r\n--", BOUNDARY.encode()[:-1], b"\r\n--" + BOUNDARY[:9].encode()]
)
DATA = st.lists(PIECES | st.binary(max_size=20), max_size=10).map(b"".join)


@given(st.lists(DATA, min_size=1, max_size=4), st.text("abc {}", max_size=20), st.lists(st.integers(0), max_size=30))
def test_a_form_is_read_the_same_in_whatever_pieces_it_comes(files: list[bytes], recipe: str, cuts: list[int]) -> None:
    body = form(*files, recipe=recipe)

    expected: list[Part] = [("file", f"{number}.jpg", data) for number, data in enumerate(files)]
    assert read(split(body, cuts)) == [*expected, ("recipe", None, recipe.encode())]


@given(st.binary(max_size=200), st.integers(0), st.lists(st.integers(0), max_size=5))
def test_any_bytes_are_a_form_or_refused(noise: bytes, place: int, cuts: list[int]) -> None:
    body = form(b"data")
    place %= len(body)
    damaged = body[:place] + noise + body[place + len(noise) :]

    with suppress(InvalidRequest):
        read(split(damaged, cuts))


@given(st.integers(0))
def test_a_form_that_is_cut_off_is_refused(length: int) -> None:
    body = form(b"data")

    with pytest.raises(InvalidRequest):
        read([body[: length % (len(body) - 3)]])


def test_the_names_of_a_part_may_be_in_any_script() -> None:
    body = form(b"data").replace(b'filename="0.jpg"', 'filename="Zürich 山.jpg"'.encode())

    assert read([body]) == [("file", "Zürich 山.jpg", b"data")]


def test_bytes_around_a_form_are_ignored() -> None:
    assert read([b"\r\n" + form(b"data") + b"epilogue"]) == [("file", "0.jpg", b"data")]


def test_a_head_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read([form(b"data")[:40], *[b"x" * 100] * 1000])


@pytest.mark.parametrize(
    "value", ["multipart/form-data; boundary=abc", 'Multipart/Form-Data; charset=utf-8; Boundary="abc"']
)
def test_the_boundary_is_found(value: str) -> None:
    assert boundary_of(value) == b"abc"


@pytest.mark.parametrize("value", [None, "", "text/plain", "multipart/mixed; boundary=abc", "multipart/form-dataX"])
def test_another_type_is_refused(value: str | None) -> None:
    with pytest.raises(NotMultipart):
        boundary_of(value)


@pytest.mark.parametrize(
    "value", ["multipart/form-data", "multipart/form-data; boundary", 'multipart/form-data; boundary=""']
)
def test_a_missing_boundary_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        boundary_of(value)


def test_data_that_the_parser_gives_byte_by_byte_takes_little_more_memory_than_it_is() -> None:
    reader = FormReader(b"X")
    reader.feed(b'--X\r\nContent-Disposition: form-data; name="file"\r\n\r\n')
    chunk = b"\r" * 65_536  # each may begin a boundary
    tracemalloc.start()
    try:
        events = reader.feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sum(len(event.data) for event in events if isinstance(event, PartData)) > 65_000
    assert peak < 10 * len(chunk)
