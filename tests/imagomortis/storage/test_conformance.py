"""The behaviour that all storages share."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from imagomortis.errors import BytesDamaged
from imagomortis.storage import name_of, original_name
from imagomortis.storage.object_store import PART, ObjectStore
from tests.imagomortis.storage.conftest import Shelf

DATA = bytes(range(256)) * 64


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_bytes_come_back_as_they_were_put(shelf: Shelf) -> None:
    name = shelf.put(DATA)
    assert shelf.storage.get({name: sha256(DATA)}) == {name: DATA}


def test_many_objects_are_put_and_returned_at_once(shelf: Shelf) -> None:
    datas = [b"%d" % number for number in range(30)]
    objects = {shelf.original(data): data for data in datas[:15]} | {shelf.rendition(data): data for data in datas[15:]}
    shelf.storage.put(objects)
    assert shelf.storage.get({name: sha256(data) for name, data in objects.items()}) == objects


def test_a_range_is_read_without_the_rest(shelf: Shelf) -> None:
    name = shelf.put(DATA)
    assert shelf.storage.read(name, 1000, 500) == DATA[1000:1500]


def test_a_range_ends_with_the_bytes(shelf: Shelf) -> None:
    name = shelf.put(DATA)
    assert shelf.storage.read(name, len(DATA) - 10, 500) == DATA[-10:]


def test_a_large_object_is_kept_whole(shelf: Shelf) -> None:
    data = bytes(range(256)) * 50_000
    name = shelf.put(data)
    assert shelf.storage.get({name: sha256(data)}) == {name: data}
    assert shelf.storage.read(name, 12_000_000, 100) == data[12_000_000:12_000_100]


@pytest.mark.parametrize("size", [2 * PART + 1, 3 * PART])
def test_a_large_file_is_kept_whole(shelf: Shelf, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "large").write_bytes(data)
    name = shelf.rendition(data)
    shelf.storage.put({name: tmp_path / "large"})
    assert shelf.storage.get({name: sha256(data)}) == {name: data}


def test_a_second_put_changes_nothing(shelf: Shelf) -> None:
    name = shelf.put(DATA)
    shelf.storage.put({name: DATA})
    assert shelf.storage.get({name: sha256(DATA)}) == {name: DATA}


def test_a_head_has_size_and_time(shelf: Shelf) -> None:
    name = shelf.rendition(DATA)
    shelf.storage.put({name: DATA})
    found = shelf.storage.head(name)
    assert found is not None
    assert (found.name, found.size) == (name, len(DATA))
    assert abs(found.put_at - datetime.now(UTC)) < timedelta(hours=1)


def test_a_missing_object_has_no_head(shelf: Shelf) -> None:
    assert shelf.storage.head(original_name(uuid4())) is None


def test_missing_bytes_are_damaged(shelf: Shelf) -> None:
    missing, present = name_of(uuid4(), "processed", sha256(DATA)), shelf.put(DATA)
    found = shelf.storage.get({missing: sha256(DATA), present: sha256(DATA)})
    assert found[present] == DATA
    assert isinstance(found[missing], BytesDamaged)
    with pytest.raises(BytesDamaged, match=missing):
        shelf.storage.read(missing, 0, 10)


def test_bytes_with_another_digest_are_damaged(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagomortis.storage.object_store.WRONG_PAUSE", 0.001)
    name = shelf.put(DATA)
    found = shelf.storage.get({name: sha256(b"what it should have been")})
    assert isinstance(found[name], BytesDamaged)


def test_deleted_objects_are_gone_and_others_are_not(shelf: Shelf) -> None:
    names = [shelf.put(b"%d" % number) for number in range(5)]
    shelf.storage.delete([*names[:3], original_name(uuid4())])
    assert [shelf.storage.head(name) is None for name in names] == [True, True, True, False, False]


def test_renditions_are_deleted_by_their_whole_names(shelf: Shelf) -> None:
    names = [shelf.rendition(data) for data in (b"first", b"second")]
    shelf.storage.put({names[0]: b"first", names[1]: b"second"})
    shelf.storage.delete([names[0], names[1].replace("processed", "thumbnail")])
    assert [shelf.storage.head(name) is None for name in names] == [True, False]


def test_a_list_is_in_the_order_of_names(shelf: Shelf) -> None:
    names = sorted(shelf.put(b"%d" % number) for number in range(12))
    rendition = shelf.rendition(DATA)
    shelf.storage.put({rendition: DATA})
    assert [each.name for each in shelf.storage.listed()] == sorted([*names, rendition])


def test_a_list_continues_after_a_name(shelf: Shelf) -> None:
    names = sorted(shelf.put(b"%d" % number) for number in range(12))
    assert [(each.name, each.size) for each in shelf.storage.listed(after=names[8])] == [
        (names[9], len(shelf.storage.read(names[9], 0, 10))),
        (names[10], len(shelf.storage.read(names[10], 0, 10))),
        (names[11], len(shelf.storage.read(names[11], 0, 10))),
    ]


def test_one_folder_can_be_listed(shelf: Shelf) -> None:
    names = [shelf.put(b"%d" % number) for number in range(3)]
    folder = names[1].partition("/")[0]
    assert [each.name for each in shelf.storage.listed(folder=folder)] == [names[1]]
    assert list(shelf.storage.listed(folder=folder, after=names[1])) == []
    assert list(shelf.storage.listed(folder=folder[:-1])) == []


def test_an_empty_storage_lists_nothing(shelf: Shelf) -> None:
    assert list(shelf.storage.listed()) == []


def test_a_folder_with_many_files_is_listed_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagomortis.storage.object_store.FILES", 2)
    store = ObjectStore.of(f"file://{tmp_path}/store")
    names = [f"in/{number}" for number in range(5)]
    store.put(dict.fromkeys(names, DATA))
    assert [each.name for each in store.listed(folder="in")] == names
    assert [each.name for each in store.listed(folder="in", after="in/1")] == names[2:]
