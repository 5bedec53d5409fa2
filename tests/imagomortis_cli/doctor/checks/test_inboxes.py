"""Whether bucket inboxes can be used, and what to do if not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only
from tests.support.object_storage import BUCKET, S3Server


@pytest.fixture
def of_s3(s3_server: S3Server) -> Mapping[str, str]:
    """The variables that name the S3 server, with a source in it."""
    place = {"IMAGOMORTIS_INBOXES": f"s3://{BUCKET}/doctors/in", "IMAGOMORTIS_STORAGE_ENDPOINT": s3_server.endpoint}
    return {**s3_server.variables, **place}


def test_a_system_without_inboxes_needs_no_check(look: Look) -> None:
    assert only(look("inboxes"), Level.SKIPPED).text == "No bucket is an inbox."


def test_one_that_works(look: Look, of_s3: Mapping[str, str]) -> None:
    assert only(look("inboxes", **of_s3), Level.FINE).text.startswith(f"s3://{BUCKET}/doctors/in can be listed, read")


def test_wrong_credentials(look: Look, of_s3: Mapping[str, str]) -> None:
    found = only(look("inboxes", **{**of_s3, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    assert "SignatureDoesNotMatch" in found.text
    assert "AWS_SECRET_ACCESS_KEY" in found.mend


def test_a_missing_bucket(look: Look, of_s3: Mapping[str, str]) -> None:
    source = '[{"url": "s3://nowhere/in", "take": "keep"}]'  # SeaweedFS makes a bucket for the first object
    found = only(look("inboxes", **{**of_s3, "IMAGOMORTIS_INBOXES": source}))
    assert "NoSuchBucket" in found.text
    assert found.mend == "create the bucket, or correct IMAGOMORTIS_INBOXES"


def test_a_wrong_recipe(look: Look, tmp_path: Path) -> None:
    found = only(look("inboxes", IMAGOMORTIS_INBOXES=f'[{{"url": "file://{tmp_path}/in", "recipe": "circels"}}]'))
    assert found.mend == "correct IMAGOMORTIS_INBOXES"


def test_refused_objects_that_stay_are_named(look: Look, catalog: Catalog, tmp_path: Path) -> None:
    catalog.bucket_objects.note(uuid4(), "in/report.pdf", "It is a PDF document.")
    found = look(
        "inboxes",
        IMAGOMORTIS_INBOXES=f'[{{"url": "file://{tmp_path}/in", "take": "keep"}}]',
        DATABASE_URL=catalog.database.conninfo,
    )
    assert [each.text for each in found if each.level is Level.NOTICE] == [
        "in/report.pdf was refused: It is a PDF document."
    ]
