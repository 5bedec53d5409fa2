"""The spool: what is stored is durable and whole, what is not stored leaves nothing, and nothing is ever lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagomortis.errors import ConfigurationError, DiskFull, ImagoMortisError, Unavailable
from imagomortis.spool.drafts import ORIGINAL, RESERVE_FILES, Draft
from imagomortis.spool.spool import META, ForeignEntry, Spool
from tests.support.uploads import upload

DATA = b"the bytes of a picture"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    return spool


def store(spool: Spool, data: bytes = DATA, identifier: UUID | None = None) -> UUID:
    """Store an upload as an uploader does; return its id."""
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        named = replace(draft, id=identifier or draft.id)
        spool.store(named, upload(data, id=named.id))
    return named.id


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_stored_entry_is_ready_whole_and_leaves_nothing_behind(spool: Spool) -> None:
    identifier = store(spool)

    (folder,) = spool.scan(10)
    entry = spool.read(folder)
    assert entry.upload == upload(DATA, id=identifier)
    assert spool.read_bytes(entry) == DATA
    assert contents(spool.incoming) == set()


def test_an_entry_is_synced_before_it_is_seen_and_again_after(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watch_fsync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def watch_rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return rename(path, target)

    with spool.draft() as draft:
        draft.original.write_bytes(DATA)
        monkeypatch.setattr(os, "fsync", watch_fsync)
        monkeypatch.setattr(Path, "rename", watch_rename)
        spool.store(draft, upload(DATA, id=draft.id))

    assert done == [f"sync {ORIGINAL}", f"sync {META}", f"sync {draft.id}", "rename", "sync ready"]


def test_a_draft_that_is_not_stored_leaves_nothing(spool: Spool) -> None:
    with spool.draft() as draft:
        draft.original.write_bytes(DATA)

    assert contents(spool.incoming) == contents(spool.ready) == set()


def test_a_draft_that_fails_leaves_nothing(spool: Spool) -> None:
    def fail() -> None:
        with spool.draft() as draft:
            draft.original.write_bytes(DATA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert contents(spool.incoming) == contents(spool.ready) == set()


def test_a_full_disk_is_told_as_such_and_leaves_nothing(spool: Spool) -> None:
    def write() -> None:
        with spool.draft() as draft:
            draft.original.symlink_to("/dev/full")
            draft.original.write_bytes(DATA)

    with pytest.raises(DiskFull):
        write()

    assert contents(spool.incoming) == set()


def test_a_disk_that_fills_while_an_entry_is_stored_is_told_as_such(spool: Spool) -> None:
    def write() -> None:
        with spool.draft() as draft:
            draft.original.write_bytes(DATA)
            (draft.folder / META).symlink_to("/dev/full")
            spool.store(draft, upload(DATA, id=draft.id))

    with pytest.raises(DiskFull):
        write()

    assert contents(spool.incoming) == contents(spool.ready) == set()


def test_no_draft_is_begun_below_the_reserve(tmp_path: Path) -> None:
    spool = Spool(tmp_path, reserve_bytes=2**60)
    spool.prepare()

    with pytest.raises(DiskFull, match="in reserve"), spool.draft():
        pass
    assert contents(spool.incoming) == set()


def test_no_draft_is_begun_that_would_eat_into_the_reserve(spool: Spool) -> None:
    with pytest.raises(DiskFull):
        spool.begin(spool.plan(), wanted=2**60)
    assert contents(spool.incoming) == set()


@pytest.mark.parametrize(("files", "is_room"), [(RESERVE_FILES + 100, True), (RESERVE_FILES, False)])
def test_no_draft_is_begun_on_a_disk_that_has_hardly_room_for_files(tmp_path: Path, files: int, is_room: bool) -> None:
    mount = f'mount -t tmpfs -o size=4m,nr_inodes={files} tmpfs "$0" && exec "$@"'
    program = "import sys, pathlib, imagomortis.spool.spool as s; s.Spool(pathlib.Path(sys.argv[1])).check_space()"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, tmp_path, sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is is_room, done.stderr
    assert is_room or "DiskFull: The server's disk has room for" in done.stderr


@pytest.mark.parametrize("folder", ["incoming", "ready"])
def test_a_spool_that_cannot_be_written_is_told_as_such_and_works_again_afterwards(spool: Spool, folder: str) -> None:
    (spool.folder / folder).rmdir()
    (spool.folder / folder).touch()

    with pytest.raises(Unavailable, match="cannot be written"):
        store(spool)

    (spool.folder / folder).unlink()
    (spool.folder / folder).mkdir()
    spool.check_writable()
    store(spool)
    assert contents(spool.incoming) == set()


def test_an_unwritable_spool_is_noticed_before_anything_comes(spool: Spool) -> None:
    shutil.rmtree(spool.incoming)

    with pytest.raises(Unavailable):
        spool.check_writable()


def test_a_spool_that_cannot_be_made_names_its_setting(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()

    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_SPOOL"):
        Spool(tmp_path / "spool").prepare()


def test_preparing_keeps_what_is_there(spool: Spool) -> None:
    identifier = store(spool)

    spool.prepare()

    assert contents(spool.ready) == {str(identifier)}


def test_storing_the_same_entry_again_changes_nothing(spool: Spool) -> None:
    identifier = store(spool)

    assert store(spool, identifier=identifier) == identifier

    assert contents(spool.ready) == {str(identifier)}
    assert contents(spool.incoming) == set()


def test_an_entry_does_not_take_the_place_of_something_foreign(spool: Spool) -> None:
    identifier = uuid4()
    (spool.ready / str(identifier)).mkdir()
    (spool.ready / str(identifier) / "stranger").touch()

    with pytest.raises(ForeignEntry):
        store(spool, identifier=identifier)


def test_a_scan_finds_no_more_than_it_is_asked_for(spool: Spool) -> None:
    stored = {str(store(spool)) for _ in range(5)}

    assert len(spool.scan(3)) == 3
    assert {path.name for path in spool.scan(10)} == stored


def _as_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(DATA)


def _as_empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _with_meta_of_another(folder: Path) -> None:
    (folder / META).write_text(upload(DATA).model_dump_json())


def _with_meta_as_folder(folder: Path) -> None:
    (folder / META).unlink()
    (folder / META).mkdir()


FAULTS: dict[str, Callable[[Path], object]] = {
    "a file": _as_file,
    "an empty folder": _as_empty,
    "without bytes": lambda folder: (folder / ORIGINAL).unlink(),
    "without a description": lambda folder: (folder / META).unlink(),
    "an unreadable description": lambda folder: (folder / META).write_bytes(b"\xff{"),
    "another one's description": _with_meta_of_another,
    "a description that is a folder": _with_meta_as_folder,
    "cut off": lambda folder: os.truncate(folder / ORIGINAL, 5),
    "another name": lambda folder: folder.rename(folder.with_name("lost+found")),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_other_folders_are_not_taken_for_entries(spool: Spool, fault: Callable[[Path], object]) -> None:
    store(spool)
    fault(spool.scan(1)[0])

    with pytest.raises(ForeignEntry):
        spool.read(spool.scan(1)[0])


def test_bytes_that_were_changed_are_not_passed_on(spool: Spool) -> None:
    store(spool)
    entry = spool.read(spool.scan(1)[0])
    entry.original.write_bytes(DATA[::-1])

    with pytest.raises(ForeignEntry, match="SHA-256"):
        spool.read_bytes(entry)


def test_an_entry_that_another_pusher_took_is_just_gone(spool: Spool) -> None:
    store(spool)
    folder = spool.scan(1)[0]
    entry = spool.read(folder)

    spool.remove(folder)
    spool.remove(folder)

    with pytest.raises(FileNotFoundError):
        spool.read(folder)
    with pytest.raises(FileNotFoundError):
        spool.read_bytes(entry)
    assert contents(spool.incoming) == contents(spool.ready) == set()


def test_rejected_files_are_kept_with_the_reason(spool: Spool) -> None:
    for data in (b"one", b"two"):
        (spool.inbox / "notes.txt").write_bytes(data)
        spool.reject(spool.inbox / "notes.txt", "It is no picture.")

    kept = [path for path in spool.rejected.iterdir() if not path.name.endswith(".reason.txt")]
    assert {path.read_bytes() for path in kept} == {b"one", b"two"}
    assert {path.with_name(f"{path.name}.reason.txt").read_text() for path in kept} == {"It is no picture.\n"}
    assert contents(spool.inbox) == set()


@pytest.mark.parametrize("name", ["x" * 251 + ".txt", "ü" * 120 + ".txt", os.fsdecode(b"\xff\xfe.txt")])
def test_rejected_files_can_have_any_name(spool: Spool, name: str) -> None:
    (spool.inbox / name).write_bytes(b"text")

    target = spool.reject(spool.inbox / name, "It is no picture.")

    assert target is not None
    assert target.read_bytes() == b"text"
    assert target.suffix == ".txt"
    assert len(contents(spool.rejected)) == 2


def test_a_dangling_link_is_rejected_as_it_is(spool: Spool) -> None:
    for _ in range(2):
        (spool.inbox / "link").symlink_to("nowhere")
        target = spool.reject(spool.inbox / "link", "It is a link.")
        assert target is not None
        assert target.is_symlink()

    assert len(contents(spool.rejected)) == 4


def test_rejected_files_can_be_on_another_disk(spool: Spool) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        assert Path(elsewhere).stat().st_dev != spool.rejected.stat().st_dev
        (Path(elsewhere) / "notes.txt").write_bytes(b"text")

        spool.reject(Path(elsewhere) / "notes.txt", "It is no picture.")

        assert contents(Path(elsewhere)) == set()
    assert (spool.rejected / "notes.txt").read_bytes() == b"text"


def test_a_link_on_another_disk_is_rejected_as_it_is(spool: Spool) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        outside, link = Path(elsewhere) / "outside.txt", Path(elsewhere) / "link.txt"
        outside.write_text("mine")
        link.symlink_to(outside)

        target = spool.reject(link, "It is a link.")

        assert target is not None
        assert target.readlink() == outside
        assert contents(Path(elsewhere)) == {"outside.txt"}


def test_a_missing_file_is_not_rejected(spool: Spool) -> None:
    assert spool.reject(spool.inbox / "gone", "It is no picture.") is None
    assert contents(spool.rejected) == set()


def test_a_sweep_removes_what_was_begun_and_abandoned(spool: Spool) -> None:
    abandoned, slow, fresh = (spool.plan() for _ in range(3))
    for draft in (abandoned, slow, fresh):
        spool.begin(draft)
        draft.original.write_bytes(DATA)
    _age(abandoned.original, 100)
    for draft in (abandoned, slow):
        _age(draft.folder, 100)
    (spool.tus / "resumable").mkdir()
    _age(spool.tus / "resumable", 100)
    stored = store(spool)
    _age(spool.ready / str(stored), 100)

    assert spool.sweep(60) == 1

    assert contents(spool.incoming) == {slow.folder.name, fresh.folder.name}
    assert contents(spool.tus) == {"resumable"}
    assert contents(spool.ready) == {str(stored)}


def _age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_quota_is_a_full_disk(spool: Spool, number: int) -> None:
    with pytest.raises(DiskFull), spool.draft():
        raise OSError(number, os.strerror(number))


# --- a model: uploaders and pushers that are interrupted anywhere -----------------------------------------------------

Steps = Iterator[None]


class Model:
    """A spool with an uploader and two pushers, each of which advances by single steps, and a catalog that commits."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.accepted: dict[UUID, bytes] = {}
        self.catalog: dict[UUID, bytes] = {}
        self._count = 0
        self._actors = {"uploader": self._upload(), "pusher 1": self._push(), "pusher 2": self._push()}

    def advance(self, actor: str) -> None:
        next(self._actors[actor])

    def crash(self, actor: str) -> None:
        """Let a process die where it is: nothing of it runs any more, not even its clearing up."""
        self._actors[actor] = self._upload() if actor == "uploader" else self._push()

    def drain(self) -> None:
        """Let a pusher that nobody interrupts finish."""
        self.crash("pusher 1")
        while self.spool.scan(1):
            self.advance("pusher 1")

    def _upload(self) -> Steps:
        while True:
            self._count += 1
            data = f"picture {self._count}".encode()
            draft: Draft = self.spool.plan()
            self.spool.begin(draft)
            yield
            draft.original.write_bytes(data[:4])
            yield
            draft.original.write_bytes(data)
            yield
            self.spool.store(draft, upload(data, id=draft.id))
            self.accepted[draft.id] = data
            yield

    def _push(self) -> Steps:
        while True:
            found = self.spool.scan(2)
            yield
            for folder in found:
                yield from self._push_one(folder)

    def _push_one(self, folder: Path) -> Steps:
        try:
            entry = self.spool.read(folder)
            yield
            data = self.spool.read_bytes(entry)
        except FileNotFoundError:
            return
        yield
        assert self.catalog.setdefault(entry.upload.id, data) == data
        yield
        self.spool.remove(folder)
        yield


ACTORS = ["uploader", "pusher 1", "pusher 2"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTORS), st.integers(0, 19)), max_size=120))
def test_no_interleaving_of_an_uploader_and_two_pushers_loses_anything(moves: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        model = Model(Spool(Path(folder)))
        model.spool.prepare()
        for actor, chance in moves:
            if chance:
                model.advance(actor)
            else:
                model.crash(actor)
            held = {UUID(path.name) for path in model.spool.scan(1000)} | set(model.catalog)
            assert held == set(model.accepted)
        model.drain()
        assert model.catalog == model.accepted


def test_every_error_of_the_spool_is_one_for_a_person(spool: Spool) -> None:
    shutil.rmtree(spool.folder)

    for attempt in (lambda: store(spool), spool.check_writable):
        with pytest.raises(ImagoMortisError, match="spool"):
            attempt()


def test_the_digest_of_an_entry_is_that_of_its_bytes(spool: Spool) -> None:
    store(spool)

    entry = spool.read(spool.scan(1)[0])

    assert hashlib.sha256(entry.original.read_bytes()).digest() == entry.upload.sha256
