"""Sandboxes: a picture that crashes, hangs or devours memory costs its own attempt, and nothing else."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread, Timer

import psutil
import pytest
from PIL import Image

from imagomortis.errors import (
    AttemptFailed,
    BrokenPicture,
    DecoderCrashed,
    MemoryLimitExceeded,
    PictureTooLarge,
    RefusedPicture,
    TimeLimitExceeded,
    TransformFailed,
    Unavailable,
    UnsupportedPicture,
)
from imagomortis.picture import sheet
from imagomortis.picture.header import MIB, Limits, read_header
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import render
from imagomortis.sandbox.sandbox import Aborted, Sandbox, SandboxPool
from tests.support.pictures import KINDS, SVG, opened, photo, pixel, save, scene, truncated
from tests.support.running_system import peak_memory

pytestmark = pytest.mark.slow

LIMITS = Limits()
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
MEMORY, SECONDS = 1024 * MIB, 60.0
CIRCLES = Recipe.parse("circles")
SLOW = Recipe.parse({"steps": [{"transform": "circles", "count": 1000, "smallest": "90%", "largest": "100%"}] * 50})


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A warm sandbox for tests that do it no harm."""
    with Sandbox(LIMITS, MEMORY, SECONDS) as sandbox:
        sandbox.warm()
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of the test's own."""
    with Sandbox(LIMITS, MEMORY, SECONDS) as own:
        yield own


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes bytes into a file."""

    def write(data: bytes) -> Path:
        path = tmp_path / "a picture, näme with ümlauts"
        path.write_bytes(data)
        return path

    return write


def pid_of(sandbox: Sandbox) -> int:
    """Return the process id of the sandbox's child, which must be there."""
    pid = sandbox.pid
    assert pid is not None
    return pid


def gone(pid: int) -> bool:
    """Whether a process ended, at the latest a little later."""
    try:
        psutil.Process(pid).wait(30)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


# --- what it does -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_checked_as_in_this_process(shared: Sandbox, file: Callable[[bytes], Path], kind: str) -> None:
    data = KINDS[kind]()
    assert shared.check(file(data)) == read_header(data, LIMITS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_processed_as_in_this_process(shared: Sandbox, kind: str) -> None:
    data = KINDS[kind]()  # an animated AVIF holds the time at which it was made
    assert shared.process(data, CIRCLES) == [*render(data, CIRCLES, LIMITS)]


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[madvise]" not in HUGE_PAGES.read_text(),
    reason="not for this platform: this kernel does not let programs choose huge pages",
)
def test_a_child_asks_for_huge_pages(shared: Sandbox) -> None:
    shared.warm()
    flags = re.findall(r"^VmFlags:(.*)$", Path(f"/proc/{shared.pid}/smaps").read_text(), re.MULTILINE)
    assert any("hg" in words.split() for words in flags)


def test_a_preview_has_the_side_that_is_asked_for(shared: Sandbox) -> None:
    shown = shared.preview(photo(600, 400), CIRCLES, longest_side=300)
    assert (shown.kind, shown.width, shown.height) == ("preview", 300, 200)


def test_a_sheet_is_drawn_as_in_this_process(shared: Sandbox) -> None:
    thumbnails = [save(scene(120, 80), "WEBP")] * 7
    assert shared.sheet(thumbnails) == sheet.draw(thumbnails).data


def test_a_sheet_of_what_is_no_thumbnail_is_a_failed_attempt(sandbox: Sandbox) -> None:
    with pytest.raises(AttemptFailed):
        sandbox.sheet([b"nonsense"])


def test_a_child_serves_one_picture_after_the_other(shared: Sandbox) -> None:
    shared.process(photo(), CIRCLES)
    before = shared.pid
    for seed in range(5):
        shared.process(photo(seed=seed), CIRCLES)
    assert shared.pid == before


def test_progress_rises_to_the_end(shared: Sandbox) -> None:
    seen: list[int] = []
    shared.process(
        photo(2000, 1500),
        Recipe.parse('{"steps": [{"transform": "circles", "count": 500}]}'),
        lambda done: seen.append(done["circles"]),
    )
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_all_outputs_come_from_one_call_with_the_times_of_their_steps(shared: Sandbox) -> None:
    recipe = Recipe.parse(
        {
            "steps": [{"transform": "circles"}],
            "outputs": {
                "large": {"steps": [{"transform": "resize", "width": 300}]},
                "small": {"steps": [{"transform": "resize", "width": 30}], "output": {"format": "webp"}},
            },
        }
    )
    took: list[tuple[str, float]] = []
    made = shared.process(photo(), recipe, on_steps=took.extend)
    assert made == [*render(photo(), recipe, LIMITS)]
    assert [each.kind for each in made] == ["processed", "small", "thumbnail"]
    assert {label for label, _ in took} == set(recipe.labels)


def test_a_child_gets_the_assets_of_the_recipe(shared: Sandbox) -> None:
    logo = save(Image.new("RGB", (40, 30), "#ff0000"), "PNG")
    frame = save(Image.new("RGB", (4, 3), "#0000ff"), "PNG")
    files = {hashlib.sha256(data).hexdigest(): data for data in (frame, logo)}
    digests = dict(zip(("frame", "logo"), files, strict=True))
    steps = [
        {"transform": "overlay", "asset": "frame", "layout": "stretched"},
        {"transform": "overlay", "asset": "logo", "position": "center", "size": "50%"},
        {"transform": "encode", "format": "png"},
    ]
    recipe = Recipe.parse({"steps": steps}).with_assets(digests)
    for made in (shared.process(photo(), recipe, assets=files)[0], shared.preview(photo(), recipe, assets=files)):
        picture = opened(made.data)
        assert pixel(picture, picture.width // 2, picture.height // 2) == (255, 0, 0)
        assert pixel(picture, 2, 2) == (0, 0, 255)


def test_a_failure_names_its_output(shared: Sandbox) -> None:
    cut = {"steps": [{"transform": "crop", "width": 5, "x": "9000px"}]}
    with pytest.raises(TransformFailed, match="of the output 'cut'") as failure:
        shared.process(photo(), Recipe.parse({"steps": [], "outputs": {"whole": {}, "cut": cut}}))
    assert failure.value.members["output"] == "cut"


def test_without_anything_to_do_there_is_no_child() -> None:
    with Sandbox(LIMITS, MEMORY, SECONDS) as lazy:
        assert lazy.pid is None
        lazy.warm()
        pid = pid_of(lazy)
    assert lazy.pid is None
    assert gone(pid)


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "refusal", "says"),
    [
        (SVG, UnsupportedPicture, "an SVG drawing"),
        (b"", BrokenPicture, "empty"),
        (truncated(photo(), 0.5), BrokenPicture, "cut off"),
        (photo() + SVG, BrokenPicture, "an SVG drawing"),
        (photo(1000, 1000), PictureTooLarge, "0.5 megapixels"),
    ],
)
def test_a_refusal_keeps_its_kind_its_words_and_its_child(
    file: Callable[[bytes], Path], data: bytes, refusal: type[RefusedPicture], says: str
) -> None:
    with Sandbox(Limits(max_pixels=500_000), MEMORY, SECONDS) as sandbox:
        sandbox.warm()
        before = sandbox.pid
        with pytest.raises(refusal, match=says):
            sandbox.check(file(data))
        if data:
            with pytest.raises(refusal, match=says):
                sandbox.process(data, CIRCLES)
        assert sandbox.pid == before


def test_a_file_that_is_not_there_is_said_to_be_so(shared: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shared.check(tmp_path / "nothing")


def test_a_step_that_fails_is_named(shared: Sandbox) -> None:
    recipe = Recipe.parse('{"steps": [{"transform": "flip"}, {"transform": "crop", "width": 4, "x": "9999px"}]}')
    with pytest.raises(TransformFailed, match=r"Step 2 \(crop\) failed") as failure:
        shared.process(photo(), recipe)
    assert failure.value.members["step"] == 2


# --- crashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_named_by_its_signal_and_the_next_picture_works(sandbox: Sandbox, number: signal.Signals) -> None:
    def crash(_: Mapping[str, int]) -> None:
        os.kill(pid_of(sandbox), number)

    with pytest.raises(DecoderCrashed, match=number.name):
        sandbox.process(photo(), SLOW, crash)
    assert sandbox.pid is None
    sandbox.process(photo(), CIRCLES)


def crash_soon(sandbox: Sandbox, number: signal.Signals) -> None:
    """End a warm sandbox's child a little later, while it is held in the job that follows."""
    sandbox.warm()
    pid = pid_of(sandbox)
    os.kill(pid, signal.SIGSTOP)

    def crash() -> None:
        os.kill(pid, number)
        # most signals are seen only by a process that runs
        os.kill(pid, signal.SIGCONT)

    Timer(0.2, crash).start()


def test_a_picture_that_crashes_the_check_is_refused(sandbox: Sandbox, file: Callable[[bytes], Path]) -> None:
    crash_soon(sandbox, signal.SIGSEGV)
    with pytest.raises(BrokenPicture, match="damaged in a way that ends the decoder"):
        sandbox.check(file(photo()))
    assert sandbox.check(file(photo())).width == 384


def test_a_child_that_somebody_killed_is_no_fault_of_the_picture(
    sandbox: Sandbox, file: Callable[[bytes], Path]
) -> None:
    crash_soon(sandbox, signal.SIGKILL)
    assert sandbox.check(file(photo())).width == 384


def test_a_child_that_died_between_two_pictures_costs_at_most_an_attempt(sandbox: Sandbox) -> None:
    sandbox.warm()
    os.kill(pid_of(sandbox), signal.SIGKILL)
    with pytest.raises(DecoderCrashed, match="SIGKILL"):
        sandbox.process(photo(), CIRCLES)
    sandbox.process(photo(), CIRCLES)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_picture_that_takes_too_long_ends_in_time_and_the_next_works(file: Callable[[bytes], Path]) -> None:
    with Sandbox(LIMITS, MEMORY, seconds=3) as sandbox:
        sandbox.warm()
        pid, start = pid_of(sandbox), time.monotonic()
        with pytest.raises(TimeLimitExceeded, match="more than 3 seconds"):
            sandbox.process(photo(), SLOW)
        assert time.monotonic() - start < 60
        assert gone(pid)
        sandbox.process(photo(), CIRCLES)
        os.kill(pid_of(sandbox), signal.SIGSTOP)
        with pytest.raises(BrokenPicture, match="cannot be decoded within"):
            sandbox.check(file(photo()))
        assert sandbox.check(file(photo())).width == 384


def test_a_stopped_child_is_ended_at_the_deadline_even_if_it_takes_nothing_in() -> None:
    with Sandbox(LIMITS, MEMORY, seconds=0.5) as sandbox:
        sandbox.warm()
        os.kill(pid_of(sandbox), signal.SIGSTOP)
        with pytest.raises(TimeLimitExceeded):
            sandbox.process(bytes(20 * MIB), CIRCLES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_picture_that_needs_too_much_memory_is_told_so(file: Callable[[bytes], Path], kind: str) -> None:
    large = save(scene(2600, 1600), kind, **({"quality": 30} if kind == "HEIF" else {}))
    with Sandbox(LIMITS, 12 * MIB, SECONDS) as sandbox:
        with pytest.raises(MemoryLimitExceeded, match="more than 12 MiB of memory"):
            sandbox.process(large, CIRCLES)
        if kind != "JPEG":  # whose check takes hardly any
            with pytest.raises(PictureTooLarge, match="more than 12 MiB of memory"):
                sandbox.check(file(large))
        sandbox.process(photo(), CIRCLES)


def test_a_file_that_alone_is_too_much_is_told_so() -> None:
    with Sandbox(LIMITS, 24 * MIB, SECONDS) as sandbox, pytest.raises(MemoryLimitExceeded):
        sandbox.process(bytes(60 * MIB), CIRCLES)


def test_a_recipe_that_makes_too_much_of_a_picture_is_told_so() -> None:
    grow = Recipe.parse('{"steps": [{"transform": "resize", "width": "6000px", "enlarge": true}]}')
    with Sandbox(LIMITS, 64 * MIB, SECONDS) as sandbox, pytest.raises(MemoryLimitExceeded):
        sandbox.process(photo(), grow)


def test_a_50_megapixel_photo_takes_less_than_450_mib_together_with_its_parent(tmp_path: Path) -> None:
    """The worker around it has its own; both must stay below 600 MiB."""
    path = tmp_path / "large.jpg"
    path.write_bytes(photo(8660, 5774, quality=95))
    program = """
import sys
from pathlib import Path
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox

def peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

with Sandbox(Limits(), 2 << 30, 900) as sandbox:
    processed, _ = sandbox.process(Path(sys.argv[1]).read_bytes(), Recipe.parse("circles"), lambda done: None)
    print(processed.width, peak("self") + peak(sandbox.pid))
"""
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    width, kibibytes = (int(number) for number in run.stdout.split())
    assert width == 8660
    assert kibibytes < 450 * 1024


def test_memory_is_given_back_after_a_large_picture(sandbox: Sandbox) -> None:
    sandbox.process(photo(), CIRCLES)
    idle = psutil.Process(pid_of(sandbox)).memory_info().rss
    for _ in range(3):
        sandbox.process(photo(4000, 3000), CIRCLES)
    sandbox.process(photo(), CIRCLES)
    assert peak_memory(pid_of(sandbox)) > idle + 40 * MIB
    assert psutil.Process(pid_of(sandbox)).memory_info().rss < idle + 24 * MIB


# --- its child --------------------------------------------------------------------------------------------------------


def test_the_child_knows_no_secrets_and_has_few_files_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGOMORTIS_TOKEN", "a secret of the parent's")
    with (tmp_path / "open").open("w") as other, Sandbox(LIMITS, MEMORY, SECONDS) as sandbox:
        os.set_inheritable(other.fileno(), True)
        sandbox.process(photo(), CIRCLES)
        child = psutil.Process(pid_of(sandbox))
        assert "IMAGOMORTIS_TOKEN" not in child.environ()
        assert child.num_fds() == 5
        assert not child.net_connections("inet")


def test_the_child_cannot_write_large_files_dump_its_memory_or_start_many_threads(shared: Sandbox) -> None:
    shared.process(photo(), CIRCLES)
    limits = Path(f"/proc/{pid_of(shared)}/limits").read_text()
    soft = {line[:25].strip(): line[25:].split()[0] for line in limits.splitlines()[1:]}
    assert soft["Max core file size"] == "0"
    assert soft["Max file size"] == str(MIB)
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    assert soft["Max processes"] == str(16_384 if most == resource.RLIM_INFINITY else most // 2)
    assert int(soft["Max data size"]) < MEMORY + 64 * MIB
    assert int(soft["Max cpu time"]) < 1000


@pytest.mark.parametrize("recipe", ["SLOW", None])
def test_the_child_ends_with_its_parent_even_amidst_a_picture(recipe: str | None) -> None:
    program = """
import sys
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox
from tests.imagomortis.sandbox.test_sandbox import SLOW
from tests.support.pictures import photo

sandbox = Sandbox(Limits(), 1 << 30, 60)
sandbox.warm()
print(sandbox.pid, flush=True)
if sys.argv[1] == "SLOW":
    sandbox.process(photo(), SLOW, lambda _: print("at work", flush=True))
else:
    print("at rest", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(recipe)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() in {"at work\n", "at rest\n"}
        assert psutil.pid_exists(child)
        parent.kill()
        assert gone(child)


def test_a_thread_that_ends_takes_no_child_along(sandbox: Sandbox) -> None:
    thread = Thread(target=sandbox.warm)
    thread.start()
    thread.join()
    before = pid_of(sandbox)
    sandbox.process(photo(), CIRCLES)
    assert sandbox.pid == before


def test_a_caller_s_exception_amidst_a_picture_leaves_a_clean_sandbox(sandbox: Sandbox) -> None:
    def fail(_: Mapping[str, int]) -> None:
        raise TimeoutError("of the caller's own")

    sandbox.warm()
    before = pid_of(sandbox)
    with pytest.raises(TimeoutError, match="of the caller's own"):
        sandbox.process(photo(), SLOW, fail)
    assert gone(before)
    assert sandbox.process(photo(seed=3), CIRCLES) == [*render(photo(seed=3), CIRCLES, LIMITS)]


def test_no_descriptor_is_left_behind(sandbox: Sandbox) -> None:
    sandbox.process(photo(), CIRCLES)
    gc.collect()
    before = psutil.Process().num_fds()
    for _ in range(3):
        os.kill(pid_of(sandbox), signal.SIGKILL)
        with pytest.raises(AttemptFailed):
            sandbox.process(photo(), CIRCLES)
        sandbox.warm()
    assert psutil.Process().num_fds() <= before


def test_a_child_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Sandbox(LIMITS, MEMORY, SECONDS) as sandbox, pytest.raises(Unavailable, match="does not start"):
        sandbox.warm()


def test_a_file_of_endless_small_pieces_is_refused_and_not_walked_to_its_end(
    shared: Sandbox, file: Callable[[bytes], Path]
) -> None:
    good = KINDS["png"]()
    piece = b"\0\0\0\0abcd\0\0\0\0"
    path = file(good[:33] + piece * (LIMITS.max_bytes // len(piece) - 2000) + good[33:])
    before = pid_of(shared)
    with pytest.raises(BrokenPicture, match="so many pieces"):
        shared.check(path)
    assert shared.pid == before


def test_a_call_is_aborted_from_another_thread(sandbox: Sandbox) -> None:
    sandbox.warm()
    Timer(0.2, sandbox.abort).start()
    with pytest.raises(Aborted):
        sandbox.process(photo(1000, 1000), SLOW)


def test_an_aborted_check_is_not_tried_again(sandbox: Sandbox, file: Callable[[bytes], Path]) -> None:
    path = file(photo())
    sandbox.abort()
    with pytest.raises(Aborted):
        sandbox.check(path)
    sandbox.rearm()
    assert sandbox.check(path).width == 384


# --- the pool ---------------------------------------------------------------------------------------------------------


def test_many_threads_share_a_few_children() -> None:
    with SandboxPool(2, LIMITS, MEMORY, SECONDS) as pool:

        def work(seed: int) -> int | None:
            with pool.borrow() as sandbox:
                assert sandbox.process(photo(seed=seed), CIRCLES)[0].width == 384
                return sandbox.pid

        with ThreadPoolExecutor(8) as threads:
            children = set(threads.map(work, range(24)))
        assert len(children) <= 2
    assert all(gone(child) for child in children if child)


def test_borrowers_do_not_wait_for_ever() -> None:
    pool = SandboxPool(1, LIMITS, MEMORY, SECONDS, wait_seconds=0.1)
    with pool, pool.borrow(), pytest.raises(Unavailable, match="busy"), pool.borrow():
        pass


def test_borrowers_for_whom_there_is_no_place_do_not_wait() -> None:
    with SandboxPool(1, LIMITS, MEMORY, SECONDS, wait_seconds=100, most_borrowers=1) as pool:
        for _ in range(2):
            began = time.monotonic()
            with pool.borrow(), pytest.raises(Unavailable, match="busy"), pool.borrow():
                pass
            assert time.monotonic() - began < 20


def test_a_sandbox_comes_back_after_an_error() -> None:
    with SandboxPool(1, LIMITS, MEMORY, SECONDS, wait_seconds=0.1) as pool:
        for _ in range(3):
            with pytest.raises(UnsupportedPicture), pool.borrow() as sandbox:
                sandbox.process(SVG, CIRCLES)


def test_a_warm_pool_has_all_its_children() -> None:
    with SandboxPool(2, LIMITS, MEMORY, SECONDS) as pool:
        pool.warm()
        with pool.borrow() as one, pool.borrow() as other:
            assert one.pid is not None
            assert other.pid is not None
            assert one.pid != other.pid
