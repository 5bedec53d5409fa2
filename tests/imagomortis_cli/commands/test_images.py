"""`imagomortis list`, `show`, `retry` and `delete`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from imagomortis.lifecycle import State
from tests.imagomortis_cli.commands.conftest import Run, System
from tests.support import uploads

pytestmark = pytest.mark.slow

TABLE = "ID\tNAME\tSIZE\tRESOLUTION\tSTATE\tAGE"


@pytest.fixture(autouse=True)
def _quiet(system: System) -> Iterator[None]:
    """Nothing is processed behind a test's back, and each leaves no images, which the worker would process."""
    with system.idle:
        yield
        system.catalog.images.delete_all()


def test_images_are_listed_newest_first_as_lines_with_tabs(run: Run, system: System) -> None:
    older = _add(system, "older.jpg", timedelta(hours=3))
    newer = _add(system, "newer.jpg", timedelta(minutes=5))
    result = run("list")
    assert result.code == 0
    assert result.out.splitlines() == [
        TABLE,
        f"{newer}\tnewer.jpg\t5 B\t4x3\tqueued\t5 min",
        f"{older}\tolder.jpg\t5 B\t4x3\tqueued\t3 h",
    ]


def test_a_list_is_filtered_and_limited_and_says_so(run: Run, system: System) -> None:
    ids = [_add(system, f"picture {number}.jpg", timedelta(minutes=number)) for number in range(4)]
    assert run("list", "--name", "e 2").out.splitlines()[1:] == [f"{ids[2]}\tpicture 2.jpg\t5 B\t4x3\tqueued\t2 min"]
    assert run("list", "--state", "failed").out.splitlines() == [TABLE]
    assert len(run("list", "--state", "failed", "--state", "queued").out.splitlines()) == 5
    limited = run("list", "--limit", 3)
    assert [line[:36] for line in limited.out.splitlines()[1:]] == [str(image_id) for image_id in ids[:3]]
    assert "there are more" in limited.err
    assert run("list", "--limit", 4).err == ""


def test_a_list_as_json_is_what_the_api_answers(run: Run, system: System) -> None:
    assert json.loads(run("list", "--json").out) == []
    ids = {str(_add(system, "picture.jpg", timedelta(0))) for _ in range(3)}
    documents = json.loads(run("list", "--json").out)
    assert {document["id"] for document in documents} == ids
    assert documents[0]["job"]["completed"] is False


def test_all_images_are_listed_over_many_pages(run: Run, system: System) -> None:
    arrivals = uploads.arrivals(2300)
    for start in range(0, len(arrivals), 100):
        system.catalog.queue.add(arrivals[start : start + 100])
    listed = [UUID(document["id"]) for document in json.loads(run("list", "--all", "--json").out)]
    assert len(listed) == 2300
    assert set(listed) == {upload.id for upload, _ in arrivals}
    assert len(json.loads(run("list", "--limit", 1500, "--json").out)) == 1500


def test_an_image_is_shown_with_its_attempts_and_their_causes(run: Run, system: System) -> None:
    image_id = _add(system, "harbour.jpg", timedelta(0))
    _fail(system, image_id, "The decoder crashed.")
    text = run("show", image_id).out
    assert "harbour.jpg" in text
    assert re.search(r"attempt 1 +failed after 0\.10 s, .*, run a-run: The decoder crashed\.", text)
    assert f"{system.origin}/api/images/{image_id}/original" in text
    assert json.loads(run("show", image_id, "--json").out)["attempts"][0]["error"] == "The decoder crashed."


def test_an_image_is_shown_with_its_outputs(run: Run, system: System) -> None:
    image_id = _add(system, "harbour.jpg", timedelta(0))
    lease = system.catalog.queue.lease("a-run", 1, 15)
    assert lease
    system.catalog.queue.save(lease.token, [uploads.result(lease.images[0], small=b"small")])
    text = run("show", image_id).out
    for name in ("processed", "small", "thumbnail"):
        assert re.search(rf"{name} +image/jpeg, 4x3, \d+ bytes", text)
    assert f"{system.origin}/api/images/{image_id}/outputs/small?v=" in text
    assert text.count("processed at ") == 1


def test_an_image_is_shown_with_its_export(run: Run, system: System) -> None:
    target = "s3://bucket/{stem}.{ext}"
    new = uploads.upload(filename="harbour.png", recipe={"steps": [], "export": target})
    system.catalog.queue.add([(new, b"bytes")])
    lease = system.catalog.queue.lease("a-run", 1, 15)
    assert lease
    system.catalog.queue.save(lease.token, [uploads.result(lease.images[0])])
    assert re.search(r"export +to s3://bucket/\{stem\}\.\{ext\} at 20\S+\n", run("show", new.id).out)
    [due] = system.catalog.exports.claim(1)
    system.catalog.exports.fail(due, "The store is away.")
    assert "failed once: The store is away." in run("show", new.id).out
    with system.catalog.database.connection() as connection:
        connection.execute("UPDATE exports SET next_try_at = now()")
    [due] = system.catalog.exports.claim(1)
    system.catalog.exports.finish(due, ["s3://bucket/harbour.jpg"])
    assert re.search(r"export +s3://bucket/harbour\.jpg, 20\S+\n", run("show", new.id).out)


def test_an_attempt_whose_run_has_expired_says_so(run: Run, system: System) -> None:
    image_id = _add(system, "harbour.jpg", timedelta(0))
    _fail(system, image_id, "The decoder crashed.")
    system.catalog.retention.expire_runs(["a-run"])
    text = run("show", image_id).out
    assert "run a-run (expired): The decoder crashed." in text
    assert re.search(r"run +expired: Dagster keeps runs only for a while", text)


def test_an_image_that_is_not_there_is_told(run: Run) -> None:
    image_id = uuid4()
    result = run("show", image_id)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"Error: Not found: There is no image {image_id}. It may have been deleted.\n"


def test_failed_images_are_retried(run: Run, system: System) -> None:
    one, other = (_add(system, "picture.jpg", timedelta(0)) for _ in range(2))
    for image_id in (one, other):
        for _ in range(3):
            _fail(system, image_id, "a cause")
    assert system.catalog.images.counts()[State.FAILED] == 2
    assert run("retry", one).out == "1 image queued again.\n"
    assert run("retry", one).out == "0 images queued again. 1 already queued.\n"
    assert json.loads(run("retry", "--failed", "--json").out) == {"retried": 1, "missing": []}
    assert system.catalog.images.counts()[State.QUEUED] == 2


def test_one_that_is_gone_does_not_keep_the_others_from_being_retried(run: Run, system: System) -> None:
    one, other, gone = *(_add(system, "picture.jpg", timedelta(0)) for _ in range(2)), uuid4()
    for _ in range(2):
        for image_id in (one, other):
            for _ in range(3):
                _fail(system, image_id, "a cause")
        result = run("retry", one, gone, other)
        assert (result.code, result.out) == (1, "2 images queued again.\n")
        assert result.err == f"Not found: {gone}.\n"
    result = run("retry", gone, one, "--json")
    assert (result.code, json.loads(result.out)) == (1, {"retried": 0, "missing": [str(gone)]})


def test_an_address_that_is_not_that_of_the_page_is_told(
    run: Run, system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"bytes")
    monkeypatch.setenv("IMAGOMORTIS_URL", f"{system.origin}/api")
    for words in (("list",), ("retry", uuid4()), ("upload", tmp_path / "picture.jpg")):
        result = run(*words)
        assert result.code == 1
        assert f"{system.origin}/api knows no " in result.err
        assert "Set IMAGOMORTIS_URL to the address of its page" in result.err


def test_deleting_needs_ids_or_all_of_them(run: Run) -> None:
    for words in ((), (uuid4(), "--all")):
        result = run("delete", *words)
        assert result.code == 2
        assert "give the ids of images, or --all" in result.err


def test_images_are_deleted_and_brought_back(run: Run, system: System) -> None:
    kept, gone = (_add(system, "picture.jpg", timedelta(0)) for _ in range(2))
    result = run("delete", gone, uuid4())
    assert result.code == 1
    assert "1 image deleted" in result.out
    assert "Not found: " in result.err
    assert uploads.ids(system.catalog.images.page(10).images) == {kept}
    assert run("delete", gone, "--undo").out == "1 image restored.\n"
    again = run("delete", gone, "--undo")
    assert (again.code, again.out, again.err) == (
        1,
        "0 images restored.\n",
        "1 cannot be restored: not deleted, or purged already.\n",
    )
    assert uploads.ids(system.catalog.images.page(10).images) == {kept, gone}


def test_the_trash_is_listed_and_deleted_permanently(run: Run, system: System) -> None:
    trashed = [_add(system, f"picture {number}.jpg", timedelta(hours=number)) for number in range(2)]
    system.catalog.trash.put(trashed, timedelta(days=30))
    assert run("list").out.splitlines() == [TABLE]
    assert [line[:36] for line in run("list", "--trash").out.splitlines()[1:]] == [str(each) for each in trashed]
    assert run("delete", trashed[0]).code == 1
    assert run("delete", "--permanently", trashed[0]).code == 0
    assert run("delete", "--undo", trashed[1]).out == "1 image restored.\n"
    assert run("list", "--trash").out.splitlines() == [TABLE]


def test_the_help_says_what_a_deletion_leaves_behind(run: Run) -> None:
    told = run("delete", "--help").out
    assert "thumbnails" in told
    assert "docs/runbook.md" in told


@pytest.mark.parametrize("number", [1, 2, 6])
def test_the_command_that_brings_deleted_images_back_is_told(run: Run, system: System, number: int) -> None:
    ids = {_add(system, "picture.jpg", timedelta(0)) for _ in range(number)}
    told = run("delete", *ids).out
    if found := re.search("`imagomortis (.+)`", told):
        assert number <= 2
        run(*found[1].split())
    else:
        assert "the same command with --undo" in told
        run("delete", *ids, "--undo")
    assert uploads.ids(system.catalog.images.page(10).images) == ids


def test_all_images_go_only_when_that_is_confirmed(run: Run, system: System) -> None:
    _add(system, "picture.jpg", timedelta(0))
    refused = run("delete", "--all")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert len(system.catalog.images.page(10).images) == 1
    assert run("delete", "--all", "--yes").code == 0
    assert system.catalog.images.page(10).images == []
    assert run("delete", "--all", "--undo").code == 0
    assert len(system.catalog.images.page(10).images) >= 1


def test_a_malformed_id_is_wrong_usage(run: Run) -> None:
    assert run("show", "harbour.jpg").code == 2
    assert run("retry", "harbour.jpg").code == 2


def _add(system: System, filename: str, age: timedelta) -> UUID:
    upload = uploads.upload(created_at=datetime.now(UTC) - age, filename=filename)
    [image_id] = system.catalog.queue.add([(upload, b"bytes")])
    return image_id


def _fail(system: System, image_id: UUID, cause: str) -> None:
    """Fail images until the one is that is meant; suspects are leased alone, so a few tries do."""
    for _ in range(10):
        lease = system.catalog.queue.lease("a-run", 32, 15)
        assert lease
        others = [image.id for image in lease.images if image.id != image_id]
        system.catalog.queue.give_back(lease.token, others)
        if image_id in uploads.ids(lease.images):
            system.catalog.queue.fail(lease.token, image_id, cause, "a-kind", 0.1)
            return
    raise AssertionError("it was not leased")
