"""The inbox: what is complete is taken and never lost, what is bad is rejected, what is under way is left alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imagomortis.errors import DiskFull
from imagomortis.picture.header import Header, Limits
from imagomortis.recipe.recipe_choice import ChosenRecipe
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.spool.spool import Spool
from imagomortis.spool.upload import Upload
from tests.support.pictures import PDF, photo, save, scene
from tests.support.waiting import wait_until
from tests.upload_service.uploader import Contents, running
from upload_service import inbox as inbox_module
from upload_service.inbox import FileIdentity, Inbox
from upload_service.metrics import UploaderMetrics
from upload_service.store.intake import CHECKERS, Arrival, DraftFile, Intake

pytestmark = pytest.mark.anyio

LIMIT = 2**20
PICTURE = photo(120, 80)
SETTLE_SECONDS = 0.3


@pytest.fixture(scope="module")
def pool() -> Iterator[SandboxPool]:
    with SandboxPool(CHECKERS, Limits(max_bytes=LIMIT), 2**30, 60) as pool:
        yield pool


@pytest.fixture
def intake(pool: SandboxPool, tmp_path: Path) -> Intake:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    return Intake(spool, pool)  # never closed, as that would close the pool


def inbox_of(intake: Intake, settle_seconds: float = 0.0) -> Inbox:
    """Return an inbox whose files are complete at the first look, unless they have to settle."""
    assert isinstance(intake.spool, Spool)
    return Inbox(intake, intake.spool, UploaderMetrics(intake.spool), LIMIT, settle_seconds)


@pytest.fixture
def contents(intake: Intake) -> Contents:
    return Contents(intake.spool)


@pytest.fixture
def folder(intake: Intake) -> Path:
    return intake.spool.inbox


# --- what is taken ----------------------------------------------------------------------------------------------------


async def test_a_file_is_taken_out_and_stored(intake: Intake, contents: Contents, folder: Path) -> None:
    (folder / "Zürich.jpg").write_bytes(PICTURE)

    await inbox_of(intake).look()

    (entry,) = contents.entries
    assert entry.original.read_bytes() == PICTURE
    assert (entry.upload.filename, entry.upload.recipe_name) == ("Zürich.jpg", "circles")
    assert contents.inbox == set()
    assert contents.begun == []


async def test_files_in_folders_are_taken_and_the_folders_stay(
    intake: Intake, contents: Contents, folder: Path
) -> None:
    (folder / "2026" / "May").mkdir(parents=True)
    for place in ("a.jpg", "2026/a.jpg", "2026/May/a.jpg"):
        (folder / place).write_bytes(PICTURE)

    await inbox_of(intake).look()

    assert len(contents.entries) == 3
    assert contents.inbox == set()
    assert (folder / "2026" / "May").is_dir()


async def test_many_files_are_taken(intake: Intake, contents: Contents, folder: Path) -> None:
    for number in range(30):
        (folder / f"{number}.jpg").write_bytes(photo(48, 32, number))

    await inbox_of(intake).look()

    assert len(contents.entries) == 30
    assert {entry.original.read_bytes() for entry in contents.entries} == {photo(48, 32, n) for n in range(30)}


async def test_a_file_is_taken_only_when_it_has_not_changed_for_a_while(
    intake: Intake, contents: Contents, folder: Path
) -> None:
    inbox = inbox_of(intake, SETTLE_SECONDS)
    path = folder / "growing.jpg"
    began = time.monotonic()
    for end in range(0, len(PICTURE), len(PICTURE) // 6 + 1):
        path.write_bytes(PICTURE[:end])
        await inbox.look()
        await asyncio.sleep(SETTLE_SECONDS / 3)
    path.write_bytes(PICTURE)
    changed = time.monotonic()
    while contents.inbox:
        await inbox.look()
        await asyncio.sleep(0.02)

    assert changed - began > SETTLE_SECONDS
    assert time.monotonic() - changed >= SETTLE_SECONDS
    assert contents.entries[0].original.read_bytes() == PICTURE
    assert contents.rejected == {}


async def test_an_old_time_does_not_make_a_file_complete(intake: Intake, contents: Contents, folder: Path) -> None:
    inbox = inbox_of(intake, 3600)
    (folder / "a.jpg").write_bytes(PICTURE)
    os.utime(folder / "a.jpg", (0, 0))

    await inbox.look()
    await inbox.look()

    assert contents.inbox == {"a.jpg"}


async def test_the_same_file_put_in_twice_is_stored_twice(
    intake: Intake, contents: Contents, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    inbox = inbox_of(intake)
    for _ in range(2):
        shutil.copy2(tmp_path / "a.jpg", folder / "a.jpg")  # with its time, as rsync does
        await inbox.look()

    assert len(contents.entries) == 2


@pytest.mark.parametrize(
    "name",
    [
        ".picture.jpg.Xf3b2Q",
        ".hidden.jpg",
        ".rsync-partial/a.jpg",
        "a.jpg.part",
        "a.jpg.partial",
        "a.jpg.crdownload",
        "a.jpg.filepart",
        "a.TMP",
        "a.jpg~",
    ],
)
async def test_files_in_transfer_are_left_alone(intake: Intake, contents: Contents, folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(PICTURE)

    await inbox_of(intake).look()

    assert contents.entries == []
    assert contents.rejected == {}
    assert (folder / name).read_bytes() == PICTURE


# --- what is rejected -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("notes.pdf", PDF, "PDF"),
        ("empty.jpg", b"", "empty"),
        ("half.jpg", PICTURE[: len(PICTURE) // 2], "cut off"),
        ("big.bmp", save(scene(800, 600), "BMP"), "at most 1 MiB"),
    ],
)
async def test_a_bad_file_is_rejected_with_its_reason(
    intake: Intake, contents: Contents, folder: Path, *, name: str, data: bytes, reason: str
) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / name).write_bytes(data)
    (folder / "good.jpg").write_bytes(PICTURE)

    await inbox_of(intake).look()

    assert reason in contents.rejected[name]
    assert (intake.spool.rejected / name).read_bytes() == data
    assert [entry.upload.filename for entry in contents.entries] == ["good.jpg"]
    assert contents.inbox == set()
    assert contents.begun == []


async def test_links_and_pipes_are_rejected_and_not_followed(
    intake: Intake, contents: Contents, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.jpg").write_bytes(PICTURE)
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.jpg")

    await inbox_of(intake).look()

    assert contents.rejected.keys() == {"link.jpg", "loop", "pipe.jpg"}
    assert contents.entries == []
    assert (tmp_path / "outside.jpg").read_bytes() == PICTURE


async def test_a_reason_is_never_written_through_a_link(
    intake: Intake, contents: Contents, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    inbox = inbox_of(intake)
    (folder / "a.jpg.reason.txt").symlink_to(outside)
    (folder / "b.jpg.reason.txt").symlink_to(tmp_path / "made.txt")
    await inbox.look()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(PDF)

    await inbox.look()

    assert outside.read_text() == "mine"
    assert not (tmp_path / "made.txt").exists()
    assert contents.inbox == set()
    reasons = [path.read_text() for path in intake.spool.rejected.glob("*.reason.txt") if not path.is_symlink()]
    assert sum("PDF" in reason for reason in reasons) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_folder_that_becomes_a_link_is_not_followed(
    interrupted: Interrupted, contents: Contents, folder: Path, tmp_path: Path, moment: str
) -> None:
    """The file keeps its inode, size and times, so only the way to it tells."""
    inner, outside = folder / "inner", tmp_path / "outside"
    inner.mkdir()
    (inner / "a.jpg").write_bytes(PICTURE)

    def swap() -> None:
        inner.rename(outside)
        inner.symlink_to(outside)

    setattr(interrupted, moment, swap)
    await inbox_of(interrupted).look()

    assert (outside / "a.jpg").read_bytes() == PICTURE
    assert len(contents.entries) == (moment == "after")


async def test_a_name_that_is_no_text_is_no_obstacle(intake: Intake, contents: Contents, folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(PICTURE)
    (folder / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"text")

    await inbox_of(intake).look()

    assert [entry.upload.filename for entry in contents.entries] == ["caf.jpg"]
    assert contents.inbox == set()


# --- nothing is lost --------------------------------------------------------------------------------------------------

CRASH = """
import asyncio, os, sys
from pathlib import Path
from imagomortis.picture.header import Limits
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.spool.spool import Spool
from upload_service.inbox import Inbox
from upload_service.store.intake import CHECKERS, Intake
from upload_service.metrics import UploaderMetrics

async def crash_before_the_file_is_removed() -> None:
    spool = Spool(Path(sys.argv[1]))
    intake = Intake(spool, SandboxPool(CHECKERS, Limits(), 2**30, 60))
    inbox = Inbox(intake, spool, UploaderMetrics(spool), 2**20, 0.0)
    inbox._remove = lambda *_: os.kill(os.getpid(), 9)
    await inbox.look()

asyncio.run(crash_before_the_file_is_removed())
"""


@pytest.mark.parametrize("is_consumed", [False, True], ids=["waiting", "consumed"])
async def test_a_crash_before_a_file_is_removed_repeats_the_entry_under_its_id(
    intake: Intake, contents: Contents, folder: Path, is_consumed: bool
) -> None:
    (folder / "a.jpg").write_bytes(PICTURE)
    crashed = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, str(intake.spool.folder))
    assert await crashed.wait() == -9
    assert contents.inbox == {"a.jpg"}
    (stored,) = contents.ids
    if is_consumed:
        intake.spool.remove(contents.entries[0].folder)

    await inbox_of(intake).look()

    assert contents.ids == {stored}
    assert contents.inbox == set()


async def test_two_uploaders_make_one_entry_of_a_file(intake: Intake, contents: Contents, folder: Path) -> None:
    for number in range(10):
        (folder / f"{number}.jpg").write_bytes(PICTURE)

    await asyncio.gather(inbox_of(intake).look(), inbox_of(intake).look())

    assert sorted(entry.upload.filename for entry in contents.entries) == [f"{number}.jpg" for number in range(10)]
    assert contents.inbox == set()
    assert contents.rejected == {}
    assert contents.begun == []


class Interrupted(Intake):
    """Lets something happen, once, before a picture is copied or after it was stored."""

    def __init__(self, spool: Spool, pool: SandboxPool) -> None:
        super().__init__(spool, pool)
        self.before: Callable[[], object] | None = None
        self.after: Callable[[], object] | None = None

    @asynccontextmanager
    async def draft(self, before: Callable[[], None] = lambda: None) -> AsyncIterator[DraftFile]:
        self.before, happens = None, self.before
        if happens:
            happens()
        async with super().draft(before) as file:
            yield file

    async def store(self, arrival: Arrival, header: Header, choice: ChosenRecipe) -> Upload:
        upload = await super().store(arrival, header, choice)
        self.after, happens = None, self.after
        if happens:
            happens()
        return upload


@pytest.fixture
def interrupted(intake: Intake, pool: SandboxPool) -> Interrupted:
    return Interrupted(intake.spool, pool)


@pytest.mark.parametrize("is_renamed", [False, True], ids=["rewritten", "replaced"])
async def test_a_file_that_changes_after_it_was_stored_is_taken_again(
    interrupted: Interrupted, contents: Contents, folder: Path, is_renamed: bool
) -> None:
    path, other = folder / "a.jpg", photo(96, 64)
    path.write_bytes(PICTURE)

    def replace() -> None:
        target = folder / ".a.jpg.new" if is_renamed else path
        target.write_bytes(other)
        target.rename(path)

    interrupted.after = replace
    inbox = inbox_of(interrupted)
    await inbox.look()
    assert path.read_bytes() == other

    await inbox.look()

    assert [entry.original.read_bytes() for entry in contents.entries] == [PICTURE, other]
    assert contents.inbox == set()


async def test_a_file_that_changes_before_it_is_copied_is_left_for_the_next_look(
    interrupted: Interrupted, contents: Contents, folder: Path
) -> None:
    path, other = folder / "a.jpg", photo(96, 64)
    path.write_bytes(PICTURE)
    interrupted.before = lambda: path.write_bytes(other)
    inbox = inbox_of(interrupted)

    await inbox.look()
    assert contents.entries == []
    assert contents.begun == []
    await inbox.look()

    assert [entry.original.read_bytes() for entry in contents.entries] == [other]


async def test_a_file_that_vanishes_while_it_is_taken_is_no_fault(
    interrupted: Interrupted, contents: Contents, folder: Path
) -> None:
    (folder / "a.jpg").write_bytes(PICTURE)
    interrupted.before = (folder / "a.jpg").unlink

    await inbox_of(interrupted).look()

    assert contents.entries == []
    assert contents.rejected == {}
    assert contents.begun == []


async def test_a_file_that_takes_the_place_of_a_stored_one_at_the_last_moment_stays(
    intake: Intake, contents: Contents, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = folder / "a.jpg", photo(96, 64)
    path.write_bytes(PICTURE)
    expect = inbox_module._expect

    def replace_after_the_last_look(parent: int, name: str, identity: FileIdentity) -> None:
        expect(parent, name, identity)
        if contents.entries:
            (folder / ".new").write_bytes(other)
            (folder / ".new").rename(path)
            monkeypatch.setattr(inbox_module, "_expect", expect)

    monkeypatch.setattr(inbox_module, "_expect", replace_after_the_last_look)
    await inbox_of(intake).look()

    assert path.read_bytes() == other
    assert contents.begun == []


async def test_while_the_disk_is_full_files_wait(
    pool: SandboxPool, intake: Intake, contents: Contents, folder: Path
) -> None:
    (folder / "a.jpg").write_bytes(PICTURE)
    full = Intake(Spool(intake.spool.folder, reserve_bytes=2**60), pool)
    with pytest.raises(DiskFull):
        await inbox_of(full).look()
    assert contents.inbox == {"a.jpg"}

    await inbox_of(intake).look()

    assert len(contents.entries) == 1


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[Path]:
    """A folder on another disk, to which the inbox is a link."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        folder.rmdir()
        folder.symlink_to(elsewhere)
        assert folder.stat().st_dev != folder.parent.stat().st_dev
        yield Path(elsewhere)


async def test_an_inbox_may_be_on_another_disk(intake: Intake, contents: Contents, elsewhere: Path) -> None:
    (elsewhere / "a.jpg").write_bytes(PICTURE)
    (elsewhere / "b.pdf").write_bytes(PDF)

    await inbox_of(intake).look()

    assert _names(elsewhere) == []
    assert len(contents.entries) == 1
    assert (intake.spool.rejected / "b.pdf").read_bytes() == PDF


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _remove(folder: Path) -> None:
    folder.rmdir()


def _put_a_file_in_its_place(folder: Path) -> None:
    folder.rmdir()
    folder.touch()


@pytest.mark.parametrize("fault", [_remove, _put_a_file_in_its_place])
async def test_an_inbox_that_disappears_is_waited_for(
    intake: Intake, contents: Contents, folder: Path, fault: Callable[[Path], None]
) -> None:
    inbox = inbox_of(intake)
    await inbox.look()
    fault(folder)
    await inbox.look()
    _make_again(folder)

    (folder / "a.jpg").write_bytes(PICTURE)
    await inbox.look()

    assert len(contents.entries) == 1


def _make_again(folder: Path) -> None:
    if folder.is_file():
        folder.unlink()
        folder.mkdir()
    assert folder.is_dir()


async def test_a_spool_that_disappears_is_not_made_again(intake: Intake, folder: Path) -> None:
    shutil.rmtree(intake.spool.folder)

    await inbox_of(intake).look()

    assert not intake.spool.folder.exists()


def test_a_running_uploader_takes_what_is_put_into_its_inbox(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader:
        contents = uploader.contents
        shutil.rmtree(contents.spool.inbox)
        wait_until(contents.spool.inbox.is_dir)
        began = time.monotonic()
        (contents.spool.inbox / "a.jpg").write_bytes(PICTURE)
        (contents.spool.inbox / "b.pdf").write_bytes(PDF)
        wait_until(lambda: not contents.inbox)

        assert time.monotonic() - began >= 2
        assert contents.entries[0].original.read_bytes() == PICTURE
        assert contents.rejected.keys() == {"b.pdf"}
        assert [line["filename"] for line in uploader.lines("stored")] == ["a.jpg"]
        assert [line["filename"] for line in uploader.lines("refused")] == ["b.pdf"]
