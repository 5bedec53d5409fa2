"""An upload's description, and the names that clients give to files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from imagomortis.spool.upload import FILENAME_LENGTH, Upload, clean_filename, hour_of
from tests.support.uploads import upload


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("picture.jpg", "picture.jpg"),
        ("Überflug über Zürich 🏔.jpeg", "Überflug über Zürich 🏔.jpeg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\picture.jpg", "picture.jpg"),
        ("/absolute/picture.jpg", "picture.jpg"),
        ("a\0b\r\nc\x1b[31m.png", "abc[31m.png"),
        ("  spaced.png ", "spaced.png"),
        ("", "picture"),
        (None, "picture"),
        ("..", "picture"),
        ("folder/...", "picture"),
        ("folder/", "folder"),
    ],
)
def test_a_name_is_kept_without_folders_and_control_characters(given_name: str | None, cleaned: str) -> None:
    assert clean_filename(given_name) == cleaned


def test_a_long_name_keeps_its_suffix() -> None:
    assert clean_filename("x" * 300 + ".jpeg") == "x" * (FILENAME_LENGTH - 5) + ".jpeg"


@given(st.text() | st.text("ab. ", min_size=250, max_size=270))
def test_any_name_comes_out_clean_and_stays_as_it_is_then(name: str) -> None:
    cleaned = clean_filename(name)

    assert 1 <= len(cleaned) <= FILENAME_LENGTH
    assert cleaned.isprintable()
    assert not set(cleaned) & set("/\\\0")
    assert cleaned not in {".", ".."}
    assert clean_filename(cleaned) == cleaned


@given(st.binary(min_size=1, max_size=100), st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=255))
def test_an_upload_survives_being_written_down(data: bytes, filename: str) -> None:
    written = upload(data, filename=filename, recipe={"steps": [{"transform": "blur", "radius": 0.1}]})

    assert Upload.model_validate_json(written.model_dump_json()) == written


@pytest.mark.parametrize(
    "fault",
    [
        {"size": 0},
        {"width": 0},
        {"sha256": b"short"},
        {"filename": ""},
        {"filename": "x" * 256},
        {"created_at": datetime(2026, 1, 1)},
        {"unknown": 1},
    ],
)
def test_an_upload_that_cannot_be_is_not_read(fault: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        upload(**fault)


def test_an_hour_begins_at_its_first_minute_in_its_own_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))

    assert hour_of(datetime(2026, 5, 17, 12, 59, 59, 999, tzinfo=UTC)) == datetime(2026, 5, 17, 12, tzinfo=UTC)
    assert hour_of(datetime(2026, 5, 17, 12, 10, tzinfo=zone)) == datetime(2026, 5, 17, 12, tzinfo=zone)
