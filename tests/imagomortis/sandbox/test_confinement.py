"""What a process that decodes pictures cannot do, each by trying it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagomortis.errors import BrokenPicture, DecoderCrashed
from imagomortis.picture.header import MIB, Limits
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis.recipe.render import render
from imagomortis.sandbox import sandbox as sandboxes
from imagomortis.sandbox.confinement import LAYERS
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.sandbox.system_calls import numbers
from tests.imagomortis.sandbox.hostile import FATAL, LIES
from tests.support.pictures import photo

MEMORY, SECONDS = 1024 * MIB, 60.0

# each call in a process of its own, as it ends it
TRY_FATAL = """
import ctypes, json, os, resource, sys
from imagomortis.sandbox.confinement import confine
from imagomortis.sandbox.system_calls import numbers

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
libc = ctypes.CDLL(None)
ends = {}
for name, number in numbers(os.uname().machine, fatal=True).items():
    pid = os.fork()
    if pid == 0:
        confine()
        libc.syscall(number, 0, 0, 0, 0, 0, 0)
        os._exit(0)
    ends[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
json.dump(ends, sys.stdout)
"""


@pytest.fixture(scope="module")
def hostile() -> Iterator[Sandbox]:
    """A sandbox with a child that does what the picture says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandboxes, "CHILD", "tests.imagomortis.sandbox.hostile")
        with Sandbox(Limits(), MEMORY, SECONDS) as sandbox:
            yield sandbox


@pytest.fixture
def asking(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a picture that asks for something."""

    def write(wish: str) -> Path:
        path = tmp_path / "picture"
        path.write_text(wish)
        return path

    return write


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that an attacker may change, if he can."""
    path = tmp_path / "target"
    path.write_text("untouched")
    return path


def has_landlock() -> bool:
    """Whether this kernel says which version of Landlock it has: landlock_create_ruleset(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(444, None, ctypes.c_long(0), 1) > 0)


def test_all_layers_that_this_kernel_has_are_in_force(hostile: Sandbox) -> None:
    assert hostile.missing.keys() == (set() if has_landlock() else {"landlock"})
    status = Path(f"/proc/{hostile.pid}/status").read_text()
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", f"CapEff:\t{0:016}", f"CapPrm:\t{0:016}"):
        assert line in status
    assert psutil.Process(hostile.pid).num_threads() == 1  # any other would be without Landlock


def test_a_hostile_child_opens_nothing_and_touches_nobody(
    hostile: Sandbox, asking: Callable[[str], Path], target: Path
) -> None:
    with pytest.raises(BrokenPicture, match=r"It could \[\]"):
        hostile.check(asking(str(target)))
    assert target.read_text() == "untouched"


def test_a_hostile_child_opens_nothing_where_there_is_no_landlock(
    monkeypatch: pytest.MonkeyPatch, asking: Callable[[str], Path], target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandboxes, "CHILD", "tests.imagomortis.sandbox.old_kernel")
    sandboxes._tell.cache_clear()
    with Sandbox(Limits(), MEMORY, SECONDS) as sandbox:
        assert sandbox.missing.keys() == {"landlock"}
        with pytest.raises(BrokenPicture, match=r"It could \[\]"):
            sandbox.check(asking(str(target)))
    with Sandbox(Limits(), MEMORY, SECONDS) as another:
        another.warm()
    assert [record.getMessage() for record in caplog.records] == ["decoders are confined in part"]


@pytest.mark.parametrize("wish", FATAL)
def test_a_hostile_child_ends_as_it_reaches_out(hostile: Sandbox, asking: Callable[[str], Path], wish: str) -> None:
    with pytest.raises(BrokenPicture) as refusal:
        hostile.check(asking(wish))
    cause = refusal.value.__cause__
    assert isinstance(cause, DecoderCrashed)
    assert cause.members == {"signal": "SIGSYS"}
    assert hostile.check(asking("peace")).width == 4


def test_every_call_of_an_attacker_is_fatal() -> None:
    done = subprocess.run([sys.executable, "-c", TRY_FATAL], capture_output=True, text=True, check=True)
    ends = json.loads(done.stdout)
    assert ends.keys() == numbers(os.uname().machine, fatal=True).keys()
    assert {name: end for name, end in ends.items() if end != -signal.SIGSYS} == {}


def test_landlock_alone_opens_no_file_and_its_absence_is_no_fault() -> None:
    program = """
from imagomortis.sandbox.confinement import LAYERS
LAYERS["no_new_privs"]()
try:
    LAYERS["landlock"]()
except OSError:
    print("no Landlock")
else:
    try:
        open("/etc/passwd")
    except PermissionError:
        print("closed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ("closed\n" if has_landlock() else "no Landlock\n")


@pytest.mark.parametrize(
    ("given", "is_dumpable"), [("executor='kubernetes'", 0), ("in_cluster=True", 0), ("executor='in_process'", 1)]
)
def test_parents_hide_in_a_cluster_and_can_be_found_on_one_machine(given: str, is_dumpable: int) -> None:
    program = f"""
import ctypes
from imagomortis.sandbox.confinement import hide
from imagomortis.settings import Settings

hide(Settings({given}))
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == is_dumpable


@pytest.mark.parametrize("wish", [*LIES, "garble", "flood"])
def test_a_child_that_lies_is_ended_and_not_believed(
    hostile: Sandbox, asking: Callable[[str], Path], wish: str
) -> None:
    hostile.warm()
    before = hostile.pid
    with pytest.raises(BrokenPicture, match="ends the decoder"):
        hostile.check(asking(wish))
    assert hostile.pid != before


def test_a_confined_child_knows_every_kind_of_picture_recipe_and_result() -> None:
    """All that these need must be loaded before the child is confined."""
    encodings: list[dict[str, Any]] = [
        {"steps": [{"transform": "encode", "format": kind}]} for kind in ("jpeg", "png", "webp", "avif")
    ]
    encodings.append({"steps": [{"transform": "encode", "format": "auto", "quality": "auto", "max_bytes": 90_000}]})
    with Sandbox(Limits(), MEMORY, SECONDS) as fresh:
        for recipe in [Recipe.parse(each) for each in (*builtin(), *encodings)]:
            assert fresh.process(photo(64, 48), recipe) == [*render(photo(64, 48), recipe, Limits())]


def test_both_tables_of_numbers_have_the_same_calls() -> None:
    only_of_x86 = {"fork", "vfork", "iopl", "ioperm", "modify_ldt", "poll", "time"}
    for fatal in (False, True):
        assert numbers("x86_64", fatal).keys() - numbers("aarch64", fatal).keys() <= only_of_x86
        assert numbers("aarch64", fatal).keys() <= numbers("x86_64", fatal).keys()
    assert set(LAYERS) == {"no_new_privs", "capabilities", "landlock", "seccomp"}
