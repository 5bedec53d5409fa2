"""Files are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagomortis.errors import Conflict
from imagomortis_cli.remote.files import NotWritten, check_free, shortened, written


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with written(tmp_path / "new" / "file", overwrite=False) as file:
        file.write(b"data")
        assert not (tmp_path / "new" / "file").exists()
    assert (tmp_path / "new" / "file").read_bytes() == b"data"
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("lasting", [False, True])
def test_nothing_is_left_of_one_that_failed(tmp_path: Path, lasting: bool) -> None:
    (tmp_path / "file").write_bytes(b"older")
    with pytest.raises(ZeroDivisionError):
        _write(tmp_path / "file", lambda: 1 / 0, overwrite=True, lasting=lasting)
    assert _contents(tmp_path) == [b"older"]


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="--force"):
        _write(tmp_path / "file", lambda: (tmp_path / "file").write_bytes(b"somebody else's"))
    assert _contents(tmp_path) == [b"somebody else's"]


def test_faults_of_the_disk_are_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match=r"file cannot be written \(No space left on device\)"):
        _write(tmp_path / "file", lambda: Path("/dev/full").write_bytes(b"data"))
    assert _contents(tmp_path) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWritten, match="cannot be written"):
        _write(tmp_path / "file" / "below", lambda: None)


@pytest.mark.parametrize("name", ["山" * 80 + ".jpg", "a" * 255, "a" + "é" * 127], ids=["山", "a", "é"])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    _write(tmp_path / name, lambda: None)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_is_shortened_between_letters() -> None:
    assert [shortened("aé山", count) for count in range(8)] == ["", "a", "a", "aé", "aé", "aé", "aé山", "aé山"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_that_cannot_be_is_told_before_anything_is_written(tmp_path: Path, overwrite: bool) -> None:
    with pytest.raises(NotWritten, match=r"cannot be written \(File name too long\)"):
        check_free(tmp_path / ("a" * 256), overwrite=overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_only_regular_files_are_replaced(tmp_path: Path, overwrite: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Conflict, match="no file"):
        _write(tmp_path / "pipe", lambda: None, overwrite=overwrite)
    assert (tmp_path / "pipe").is_fifo()


def _write(target: Path, act: Callable[[], object], *, overwrite: bool = False, lasting: bool = False) -> None:
    """Write a file, and act in the middle of it."""
    with written(target, overwrite=overwrite, lasting=lasting) as file:
        file.write(b"data")
        act()


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]
