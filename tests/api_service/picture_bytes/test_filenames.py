"""The names under which pictures are saved."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.picture_bytes.filenames import content_disposition, name_for, unique
from imagomortis.sandbox.processor_time import processor_limit


@pytest.mark.parametrize(
    ("filename", "kind", "media_type", "expected"),
    [
        ("a.jpg", "original", "image/jpeg", "a.jpg"),
        ("a.JPEG", "processed", "image/jpeg", "a.JPEG"),
        ("a.heic", "processed", "image/jpeg", "a.jpg"),
        ("a.b.png", "processed", "image/webp", "a.b.webp"),
        ("picture", "processed", "image/png", "picture.png"),
        (".hidden", "processed", "image/png", ".hidden.png"),
        ("a.jpg", "thumbnail", "image/webp", "a-thumbnail.webp"),
        ("a.jpg", "processed", "image/x-unknown", "a.jpg"),
    ],
)
def test_a_name_has_the_suffix_of_its_kind(filename: str, kind: str, media_type: str, expected: str) -> None:
    assert name_for(filename, kind, media_type) == expected


@given(st.text(min_size=1))
def test_a_header_is_one_line_that_gives_the_name_back(filename: str) -> None:
    header = content_disposition(filename, attachment=True)
    assert header.isascii()
    assert header.isprintable()
    plain, _, full = header.partition("; filename*=UTF-8''")
    assert plain.count('"') == 2
    assert (unquote(full) if full else plain.split('"')[1]) == filename


@given(st.lists(st.sampled_from(["a.jpg", "A.JPG", "a (2).jpg", "b", "a.tar.gz", ".x"]), max_size=30))
def test_unique_names_differ_whatever_the_case(filenames: list[str]) -> None:
    taken: dict[str, int] = {}
    names = [unique(filename, taken) for filename in filenames]
    assert len({name.casefold() for name in names}) == len(filenames)
    assert all(filename in names for filename in filenames[:1])


def test_many_pictures_of_one_name_are_numbered_in_a_time_that_grows_with_their_number() -> None:
    taken: dict[str, int] = {}
    # it takes 0.03 s; looking for each number anew takes a minute
    with processor_limit(2, AssertionError("it takes longer and longer")):
        names = [unique("a.jpg", taken) for _ in range(20_000)]
    assert (names[1], names[-1]) == ("a (2).jpg", "a (20000).jpg")
