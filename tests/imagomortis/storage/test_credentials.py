"""The credentials of an object store: variables, or files in the folder of secrets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis.storage import opened
from imagomortis.storage.object_store import ObjectStore
from tests.support.object_storage import BUCKET, S3Server


def test_credentials_can_be_files(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.variables.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(name, "wrong")
    (tmp_path / "DATABASE_URL").write_text("postgresql:///of-no-concern")
    store = opened(Settings(storage=f"s3://{BUCKET}/files", storage_endpoint=s3_server.endpoint, secrets=tmp_path))
    assert store is not None
    store.put({"a/b": b"bytes"})
    assert store.get({"a/b": hashlib.sha256(b"bytes").digest()}) == {"a/b": b"bytes"}


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    store = ObjectStore.of("s3://bucket/prefix", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"):
        store.head("anything")
