"""`imagomortis download`: whole files, and nothing replaced by accident."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from tests.imagomortis_cli.commands.conftest import Run, System
from tests.support import uploads


def test_a_picture_is_saved_under_its_name(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original")
    result = run("download", image_id, "--to", tmp_path)
    assert (result.code, result.out) == (0, f"{tmp_path / 'harbour.jpg'}\n")
    assert _files(tmp_path) == {"harbour.jpg": b"processed an original"}


def test_a_name_keeps_every_letter(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "Müller 山.jpg", b"an original")
    assert run("download", image_id, "--to", tmp_path).code == 0
    assert set(_files(tmp_path)) == {"Müller 山.jpg"}


def test_long_names_are_shortened_before_their_suffix(run: Run, system: System, tmp_path: Path) -> None:
    ids = [_add(system, "山" * 200 + ".jpg", data) for data in (b"one", b"other")]
    assert run("download", *ids, "--to", tmp_path, "--kind", "original").code == 0
    files = _files(tmp_path)
    assert sorted(files.values()) == [b"one", b"other"]
    assert all(name.endswith(".jpg") and len(name.encode()) > 250 for name in files)
    assert any(str(image_id) in name for image_id in ids for name in files)


def test_the_kind_is_chosen(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original")
    for kind, expected in {
        "original": {"harbour.jpg": b"an original"},
        "processed": {"harbour.jpg": b"processed an original"},
        "thumbnail": {"harbour-thumbnail.jpg": b"thumb"},
    }.items():
        assert run("download", image_id, "--to", tmp_path / kind, "--kind", kind).code == 0
        assert _files(tmp_path / kind) == expected


def test_an_output_is_chosen_by_its_name(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original", small=b"small one")
    for folder, words in {"one": ["--output", "small"], "same": ["--output", "small", "--json"]}.items():
        assert run("download", image_id, "--to", tmp_path / folder, *words).code == 0
        assert _files(tmp_path / folder) == {"harbour-small.jpg": b"small one"}
    assert run("download", image_id, "--zip", tmp_path / "small.zip", "--output", "small").code == 0
    with zipfile.ZipFile(tmp_path / "small.zip") as bundle:
        assert bundle.namelist() == ["harbour-small.jpg"]
    missing = run("download", image_id, "--output", "large")
    assert missing.code == 1
    assert "no output 'large'. It has processed, small." in missing.err


def test_a_kind_and_an_output_exclude_each_other(run: Run, tmp_path: Path) -> None:
    for words in (["--output", "small", "--kind", "original"], ["--output", "../small"], ["--output", ""]):
        result = run("download", uuid4(), "--to", tmp_path, *words)
        assert result.code == 2
        assert "--output" in result.err


def test_existing_files_are_replaced_only_by_force(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original")
    (tmp_path / "harbour.jpg").write_bytes(b"mine")
    result = run("download", image_id, "--to", tmp_path)
    assert result.code == 1
    assert "--force" in result.err
    assert _files(tmp_path) == {"harbour.jpg": b"mine"}
    assert run("download", image_id, "--to", tmp_path, "--force").code == 0
    assert _files(tmp_path) == {"harbour.jpg": b"processed an original"}


def test_images_of_the_same_name_do_not_replace_each_other(run: Run, system: System, tmp_path: Path) -> None:
    ids = [_add(system, "Harbour.jpg", b"one"), _add(system, "harbour.jpg", b"other")]
    result = run("download", *ids, "--to", tmp_path, "--json")
    assert result.code == 0
    saved = {UUID(each["id"]): Path(each["file"]) for each in json.loads(result.out)}
    assert saved[ids[0]].read_bytes() == b"processed one"
    assert saved[ids[1]].read_bytes() == b"processed other"
    assert len({path.name.casefold() for path in saved.values()}) == 2


def test_one_that_is_missing_does_not_keep_the_others(run: Run, system: System, tmp_path: Path) -> None:
    missing, there = uuid4(), _add(system, "harbour.jpg", b"an original")
    result = run("download", missing, there, "--to", tmp_path / "new" / "folder")
    assert result.code == 1
    assert f"{missing}: Not found: " in result.err
    assert set(_files(tmp_path / "new" / "folder")) == {"harbour.jpg"}


def test_all_are_saved_as_one_zip_file(run: Run, system: System, tmp_path: Path) -> None:
    system.catalog.images.delete_all()
    for number in range(3):
        _add(system, f"{number}.jpg", f"original {number}".encode())
    target = tmp_path / "all.zip"
    assert run("download", "--all", "--zip", target, "--kind", "original").code == 0
    with zipfile.ZipFile(target) as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == {
            f"{number}.jpg": f"original {number}".encode() for number in range(3)
        }
    again = run("download", "--all", "--zip", target)
    assert again.code == 1
    assert "--force" in again.err
    assert list(tmp_path.iterdir()) == [target]


def test_a_zip_file_that_lacks_a_picture_is_told(run: Run, system: System, tmp_path: Path) -> None:
    missing, there = uuid4(), _add(system, "harbour.jpg", b"an original")
    result = run("download", missing, there, "--zip", tmp_path / "some.zip")
    assert (result.code, result.out) == (1, f"{tmp_path / 'some.zip'}\n")
    assert f"{missing}: deleted" in result.err
    again = run("download", missing, there, "--zip", tmp_path / "some.zip", "--force", "--json")
    assert again.code == 1
    assert [line[:36] for line in json.loads(again.out)["left_out"]] == [str(missing)]
    with zipfile.ZipFile(tmp_path / "some.zip") as bundle:
        assert bundle.read("harbour.jpg") == b"processed an original"


def test_without_images_there_is_no_zip_file(run: Run, system: System, tmp_path: Path) -> None:
    system.catalog.images.delete_all()
    result = run("download", "--all", "--zip", tmp_path / "all.zip")
    assert (result.code, result.err) == (1, "Error: There are no images, so no zip file was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_bytes_other_than_announced_are_not_kept(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original")
    with system.catalog.database.connection() as connection:
        connection.execute("UPDATE originals SET bytes = 'AN ORIGINAL' WHERE image_id = %s", [image_id])
    result = run("download", image_id, "--to", tmp_path, "--kind", "original")
    assert result.code == 1
    assert "SHA-256 differs" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(run: Run, system: System, tmp_path: Path) -> None:
    image_id = _add(system, "harbour.jpg", b"an original")
    (tmp_path / "file").write_bytes(b"")
    result = run("download", image_id, "--to", tmp_path / "file" / "folder")
    assert result.code == 1
    assert str(tmp_path / "file" / "folder") in result.err


def _add(system: System, filename: str, data: bytes, **others: bytes) -> UUID:
    """Add an image that is done, with ``others`` as further outputs; it is leased, as nothing else is queued."""
    upload = uploads.upload(data, created_at=datetime.now(UTC), filename=filename)
    with system.idle:
        [image_id] = system.catalog.queue.add([(upload, data)])
        lease = system.catalog.queue.lease("a-run", 1, 15)
        assert lease
        result = uploads.result(lease.images[0], b"processed " + data, **others)
        assert system.catalog.queue.save(lease.token, [result]) == {image_id}
    return image_id


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
