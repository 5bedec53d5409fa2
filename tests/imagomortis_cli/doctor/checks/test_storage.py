"""Whether the object store can be used, and what to do if not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagomortis.settings import Settings
from imagomortis.storage import opened
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only
from tests.support.object_storage import BUCKET, S3Server


@pytest.fixture
def of_s3(s3_server: S3Server) -> Mapping[str, str]:
    """The variables that name the S3 server."""
    place = {"IMAGOMORTIS_STORAGE": f"s3://{BUCKET}/doctors", "IMAGOMORTIS_STORAGE_ENDPOINT": s3_server.endpoint}
    return {**s3_server.variables, **place}


def test_postgres_needs_no_check(look: Look) -> None:
    assert only(look("storage"), Level.SKIPPED).text == "Postgres keeps the bytes of pictures."


def test_one_that_works(look: Look, of_s3: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(look("storage", **of_s3), Level.FINE).text.startswith(f"s3://{BUCKET}/doctors can be")
    for name, value in of_s3.items():
        monkeypatch.setenv(name, value)
    store = opened(Settings.read())
    assert store is not None
    assert list(store.listed()) == []


def test_a_folder_that_works(look: Look, tmp_path: Path) -> None:
    assert "can be listed" in only(look("storage", IMAGOMORTIS_STORAGE=f"file://{tmp_path}/store"), Level.FINE).text


@pytest.mark.parametrize(
    ("name", "answer"),
    [("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch")],
)
def test_wrong_credentials(look: Look, of_s3: Mapping[str, str], name: str, answer: str) -> None:
    found = only(look("storage", **{**of_s3, name: "wrong"}))
    assert f"The storage refuses this ({answer}: " in found.text
    assert name in found.mend


def test_missing_credentials(look: Look, of_s3: Mapping[str, str]) -> None:
    place = {name: value for name, value in of_s3.items() if name.startswith("IMAGOMORTIS_")}
    found = only(look("storage", **place, AWS_METADATA_ENDPOINT="http://127.0.0.1:9"))  # nothing listens there
    assert "No credentials" in found.text
    assert found.mend == "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def test_one_that_is_away(look: Look, of_s3: Mapping[str, str]) -> None:
    found = only(look("storage", **{**of_s3, "IMAGOMORTIS_STORAGE_ENDPOINT": "http://127.0.0.1:9"}))
    assert "does not answer" in found.text
    assert "IMAGOMORTIS_STORAGE_ENDPOINT" in found.mend


def test_a_folder_that_cannot_be_made(look: Look, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = only(look("storage", IMAGOMORTIS_STORAGE=f"file://{tmp_path}/file"))
    assert "cannot be used" in found.text
    assert found.mend == "correct IMAGOMORTIS_STORAGE"
