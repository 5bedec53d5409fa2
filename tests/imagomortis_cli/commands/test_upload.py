"""`imagomortis upload`: what is stored, what is refused, and what people are told."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from imagomortis.lifecycle import State
from imagomortis_cli.remote import sending
from tests.imagomortis_cli.commands.conftest import Run, System
from tests.support import pictures
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_picture_is_stored_and_processed(run: Run, system: System, tmp_path: Path) -> None:
    path = _picture(tmp_path / "harbour.jpg", 1)
    result = run("upload", path, "--wait", "--json")
    assert result.code == 0
    [document] = json.loads(result.out)
    assert document["end"] == "done"
    image = system.catalog.images.one(UUID(document["uuid"]))
    assert image
    assert (image.filename, image.state, image.recipe_name) == ("harbour.jpg", State.DONE, "circles")
    assert image.sha256 == hashlib.sha256(path.read_bytes()).digest()


def test_a_folder_is_uploaded_with_all_pictures_below_it(run: Run, tmp_path: Path) -> None:
    _picture(tmp_path / "a.jpg", 2)
    _picture(tmp_path / "deep" / "down" / "b.JPG", 3)
    _picture(tmp_path / ".hidden" / "c.jpg", 4)
    (tmp_path / "notes.txt").write_text("no picture")
    result = run("upload", tmp_path)
    assert result.code == 0
    stored = sorted(line.split("  ")[1] for line in result.out.splitlines())
    assert stored == [str(tmp_path / "a.jpg"), str(tmp_path / "deep" / "down" / "b.JPG")]
    assert "2 pictures stored." in result.err


@pytest.mark.parametrize("resumable_bytes", [sending.RESUMABLE_BYTES, 1])
def test_a_name_that_is_not_utf_8_is_sent_without_what_it_cannot_say(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumable_bytes: int
) -> None:
    monkeypatch.setattr(sending, "RESUMABLE_BYTES", resumable_bytes)
    _picture(tmp_path / "good.jpg", 13)
    _picture(tmp_path / os.fsdecode(b"urlaub_m\xfcll.jpg"), 14)
    result = run("upload", tmp_path)
    assert result.code == 0
    stored = {line.split("  ")[1] for line in result.out.splitlines()}
    assert stored == {str(tmp_path / "good.jpg"), str(tmp_path / "urlaub_m\ufffdll.jpg")}
    documents = json.loads(run("upload", tmp_path, "--wait", "--json").out)
    assert {(Path(each["file"]).name, each["filename"]) for each in documents} == {
        ("good.jpg", "good.jpg"),
        ("urlaub_m\ufffdll.jpg", "urlaub_mll.jpg"),
    }
    assert {each["image"]["filename"] for each in documents} == {"good.jpg", "urlaub_mll.jpg"}


def test_a_long_recipe_goes_with_large_files_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RESUMABLE_BYTES", 1)
    path, step = _picture(tmp_path / "good.jpg", 15), {"transform": "watermark", "text": "ü" * 200}
    recipe = json.dumps({"steps": [step] * 50})
    assert len(recipe) > 48 * 1024  # no header of the uploader may have so many bytes

    [document] = json.loads(run("upload", path, "--recipe", recipe, "--json").out)
    assert document["error"] is None
    assert document["uuid"]


def test_refused_files_are_listed_with_reasons_at_the_end(run: Run, tmp_path: Path) -> None:
    _picture(tmp_path / "good.jpg", 5)
    (tmp_path / "bad.jpg").write_bytes(_bytes(5)[:1000])
    (tmp_path / "text.png").write_text("no picture")
    result = run("upload", tmp_path)
    assert result.code == 1
    assert len(result.out.splitlines()) == 1
    *_, summary, first, second = result.err.splitlines()
    assert summary == "1 picture stored, 2 not stored:"
    assert {line.split(": ")[0].strip() for line in (first, second)} == {
        str(tmp_path / "bad.jpg"),
        str(tmp_path / "text.png"),
    }
    assert "The picture is broken: " in result.err
    assert "This kind of file is not supported: " in result.err


def test_every_file_of_a_folder_is_sent_on_demand(run: Run, tmp_path: Path) -> None:
    _picture(tmp_path / "without-suffix", 6)
    assert run("upload", tmp_path).code == 2
    assert run("upload", tmp_path, "--all").code == 0


def test_known_pictures_are_skipped_on_demand(run: Run, system: System, tmp_path: Path) -> None:
    old, new = _picture(tmp_path / "old.jpg", 7), _picture(tmp_path / "new.jpg", 8)
    run("upload", old, "--wait")
    before = sum(system.catalog.images.counts().values())
    result = run("upload", old, new, "--skip-known", "--wait", "--json")
    assert result.code == 0
    assert {Path(each["file"]).name: each["known"] for each in json.loads(result.out)} == {
        "old.jpg": True,
        "new.jpg": False,
    }
    assert sum(system.catalog.images.counts().values()) == before + 1


def test_recipes_are_given_by_name_as_json_and_in_a_file(run: Run, system: System, tmp_path: Path) -> None:
    path = _picture(tmp_path / "picture.jpg", 9)
    steps = json.dumps({"steps": [{"transform": "grayscale"}]})
    (tmp_path / "recipe.json").write_text(steps)
    run("upload", path)  # the API is there
    system.catalog.recipes.save("mine", "Mine", "", {"steps": [{"transform": "grayscale"}]}, "0" * 64)
    for recipe, name in (("vivid", "vivid"), ("mine", None), (steps, None), (tmp_path / "recipe.json", None)):
        result = run("upload", path, "--recipe", recipe, "--wait", "--json")
        assert result.code == 0, result.err
        image = system.catalog.images.one(UUID(json.loads(result.out)[0]["uuid"]))
        assert image
        assert image.recipe_name == name
        if name is None:
            assert [step["transform"] for step in image.recipe["steps"]] == ["grayscale"]


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("nonsense", "There is no recipe 'nonsense'. There are circles, "),
        ("{nonsense", "The recipe is not JSON"),
        ('{"steps": [{"transform": "nonsense"}]}', "The recipe is not valid. Step 1: "),
        ("", "There is no recipe ''. There are circles, "),
        ('{"steps": [{"transform": "rotate", "degrees": NaN}]}', "The recipe is not JSON"),
        ('{"steps": [{"transform": "rotate", "degrees": 1e999}]}', "The recipe is not JSON"),
        ('{"steps": "\udcfc"}', "The recipe is not JSON"),
        ('{"steps": ' + "[" * 100_000, "The recipe is not JSON"),
        ("nowhere.json", "The recipe in nowhere.json cannot be read (No such file or directory)."),
    ],
)
def test_a_wrong_recipe_is_told_before_anything_is_sent(
    run: Run, system: System, tmp_path: Path, recipe: str, reason: str
) -> None:
    before = sum(system.catalog.images.counts().values())
    result = run("upload", _picture(tmp_path / "picture.jpg", 10), "--recipe", recipe)
    assert result.code == 1
    assert reason in result.err
    assert result.out == ""
    assert sum(system.catalog.images.counts().values()) == before


def test_a_recipe_in_a_file_that_is_no_object_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    result = run("upload", _picture(tmp_path / "picture.jpg", 10), "--recipe", tmp_path / "list.json")
    assert result.code == 1
    assert "The recipe is no JSON object such as {" in result.err


def test_waiting_tells_of_pictures_that_failed(run: Run, tmp_path: Path) -> None:
    steps = json.dumps({"steps": [{"transform": "resize", "width": 60_000, "height": 60_000, "fit": "exact"}]})
    result = run("upload", _picture(tmp_path / "small.jpg", 11), "--recipe", steps, "--wait")
    assert result.code == 1
    assert "1 picture stored, 1 failed" in result.err
    assert "small.jpg (" in result.err


def test_waiting_goes_on_while_processing_is_paused(run: Run, system: System, tmp_path: Path) -> None:
    """It says why nothing happens, and ends when a picture is deleted."""
    path = _picture(tmp_path / "picture.jpg", 12)
    run("pause")
    wait_until(lambda: json.loads(run("status", "--json").out)["paused"])

    def delete_soon() -> None:
        [image] = wait_until(lambda: system.catalog.images.page(1).images)
        wait_until(lambda: "Processing is paused" in captured_so_far())
        system.catalog.images.delete([image.id])

    thread = threading.Thread(target=delete_soon)
    for image in system.catalog.images.page(1000).images:
        system.catalog.images.delete([image.id])
    thread.start()
    result = run("upload", path, "--wait")
    thread.join()
    run("resume")
    assert result.code == 1
    assert "Processing is paused. Continue it with `imagomortis resume`" in result.err
    assert "1 picture stored, 1 deleted" in result.err


def captured_so_far() -> str:
    """What `capsys` has of a command that still runs."""
    return str(sys.stderr.getvalue())  # type: ignore[attr-defined]


def test_a_file_that_is_not_there_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    result = run("upload", tmp_path / "nowhere.jpg")
    assert result.code == 2
    assert "does not exist" in result.err


def test_an_empty_name_is_not_the_folder_where_we_are(run: Run) -> None:
    result = run("upload", "")
    assert result.code == 2
    assert "is empty" in result.err


def _picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_bytes(seed))
    return path


def _bytes(seed: int) -> bytes:
    return pictures.photo(64, 48, seed)
