"""Whether the disk has room, and the spool is emptied."""

from __future__ import annotations

import errno
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagomortis.spool.spool import Spool
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only


class TestSpool:
    def test_one_that_is_emptied(self, look: Look) -> None:
        assert "0 pictures waiting" in only(look("spool"), Level.FINE).text

    def test_one_that_is_not_there(self, look: Look, tmp_path: Path) -> None:
        assert "is not there" in only(look("spool", IMAGOMORTIS_SPOOL=str(tmp_path / "elsewhere"))).text

    def test_one_that_cannot_be_written(self, look: Look, home: Path) -> None:
        (home / "spool" / "incoming").rmdir()
        (home / "spool" / "incoming").touch()  # a user without rights would do, but the tests may run as root
        found = look("spool")[0]
        assert "cannot be written" in found.text
        assert found.mend.startswith(f"mv {home}/spool/incoming ")

    def test_one_in_an_object_store(self, look: Look, tmp_path: Path) -> None:
        url = f"file://{tmp_path}/objects"
        assert (
            only(look("spool", IMAGOMORTIS_SPOOL=url), Level.FINE).text == f"{url} can be written; 0 pictures waiting."
        )
        entry = tmp_path / "objects" / "ready" / "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7d1" / "meta.json"
        entry.parent.mkdir(parents=True)
        entry.write_text("{}")
        os.utime(entry, (0, 0))
        assert "1 picture not taken into the catalog" in only(look("spool", IMAGOMORTIS_SPOOL=url)).text

    def test_one_in_an_object_store_that_is_away(self, look: Look, tmp_path: Path) -> None:
        (tmp_path / "objects").touch()
        assert "IMAGOMORTIS_SPOOL" in only(look("spool", IMAGOMORTIS_SPOOL=f"file://{tmp_path}/objects")).mend

    def test_one_of_another_user(self, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tests may run as root, whom nothing is refused."""

        def refuse(path: Path, **_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(Path, "touch", refuse)
        assert look("spool")[0].mend.startswith("chown -R")

    def test_one_that_nobody_empties_as_the_database_is_away(self, look: Look, home: Path, tmp_path: Path) -> None:
        entry = home / "spool" / "ready" / "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7d1"
        entry.mkdir()
        os.utime(entry, (0, 0))
        found = only(look("spool", DATABASE_URL=f"postgresql:///pictures?host={tmp_path}"))
        assert found.text.endswith("the database is away.")
        assert found.mend == "imagomortis doctor --only database"

    def test_one_that_nobody_empties(self, look: Look, home: Path) -> None:
        entry = home / "spool" / "ready" / "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7d1"
        entry.mkdir()
        long_ago = datetime.now(UTC).timestamp() - 600
        os.utime(entry, (long_ago, long_ago))
        found = only(look("spool"))
        assert "1 picture not taken into the catalog, the oldest for 10 min" in found.text

    def test_rejected_files_are_noticed(self, look: Look, home: Path) -> None:
        thing = home / "spool" / "inbox" / "page.html"
        thing.write_text("hello")
        Spool(home / "spool").reject(thing, "It is HTML.")
        assert "1 file in" in only(look("spool"), Level.NOTICE).text


class TestDisk:
    def test_room(self, look: Look) -> None:
        assert "left" in only(look("disk"), Level.FINE).text

    def test_less_than_the_reserve(self, look: Look) -> None:
        found = only(look("disk", IMAGOMORTIS_DISK_RESERVE_BYTES=str(10**18)))
        assert "they are refused" in found.text
        assert "IMAGOMORTIS_PICTURE_RETENTION_BYTES" in found.mend

    def test_no_room_for_more_files(self, look: Look, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        full = SimpleNamespace(f_files=10**6, f_favail=10, f_frsize=4096, f_blocks=10**9, f_bavail=10**9, f_bfree=10**9)
        monkeypatch.setattr(os, "statvfs", lambda _: full)
        found = only(look("disk"))
        assert "no room for more files" in found.text
        (home / "spool" / "rejected" / "page.html").touch()
        subprocess.run(found.mend.partition(",")[0], shell=True, check=True)
        assert list((home / "spool" / "rejected").iterdir()) == []
