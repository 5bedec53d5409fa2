"""A real S3 server that is away, slow or wrong: no object is stored in part, and no acknowledged one is lost."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.errors import BytesDamaged, Unavailable
from imagomortis.lifecycle import State
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis.spool.spool import Spool
from imagomortis.storage import original_name
from imagomortis.storage.object_store import ObjectStore
from imagomortis.storage.storage import LARGE
from imagomortis.work.ingest import ingest
from imagomortis.work.worker import Terms, Worker
from tests.support import faulty
from tests.support.faulty import Fault, Proxy
from tests.support.object_storage import S3Server
from tests.support.pictures import photo
from tests.support.uploads import NOON, upload
from tests.support.waiting import wait_until

DATA = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(DATA).digest()
HASTE = {"retry_config": {"max_retries": 1, "backoff": {"init_backoff": timedelta(milliseconds=10)}}}

AWAY: tuple[Fault, ...] = ("refuse", "503", "429", "cut off")


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with faulty.in_front_of(s3_server.endpoint) as found:
        yield found


@pytest.fixture
def store(s3_server: S3Server, proxy: Proxy) -> ObjectStore:
    """A storage behind the proxy, with little patience of its own."""
    return s3_server.store(proxy.address, **HASTE)


@pytest.mark.parametrize("fault", AWAY)
def test_a_put_that_fails_leaves_nothing(store: ObjectStore, proxy: Proxy, fault: Fault) -> None:
    name = original_name(uuid4())
    proxy.fault = fault
    with pytest.raises(Unavailable, match="storage"):
        store.put({name: DATA})
    proxy.fault = "none"
    assert list(store.listed()) == []
    store.put({name: DATA})
    assert store.get({name: DIGEST}) == {name: DATA}


@pytest.mark.parametrize("faultless", range(4))
def test_a_put_in_parts_that_fails_leaves_nothing(store: ObjectStore, proxy: Proxy, faultless: int) -> None:
    name, data = original_name(uuid4()), bytes(LARGE + 1)
    proxy.faultless, proxy.fault = faultless, "503"
    with pytest.raises(Unavailable):
        store.put({name: data})
    proxy.fault = "none"
    assert list(store.listed()) == []


def test_a_large_object_takes_several_requests(store: ObjectStore, proxy: Proxy) -> None:
    """So each of them has a time limit of its own, and a slow network suffices."""
    name, data = original_name(uuid4()), bytes(LARGE + 1)
    store.put({name: data})
    assert proxy.requests == 5, "it begins, sends three parts, and completes"
    proxy.requests = 0
    assert store.get({name: hashlib.sha256(data).digest()}) == {name: data}
    assert proxy.requests == 3


@pytest.mark.parametrize("fault", AWAY)
def test_stored_bytes_survive_a_fault(store: ObjectStore, proxy: Proxy, fault: Fault) -> None:
    name = original_name(uuid4())
    store.put({name: DATA})
    proxy.fault = fault
    for ask in (
        lambda: store.get({name: DIGEST}),
        lambda: store.read(name, 0, 10),
        lambda: store.head(name),
        lambda: list(store.listed()),
        lambda: store.delete([name]),
    ):
        with pytest.raises(Unavailable):
            ask()
    proxy.fault = "none"
    assert store.get({name: DIGEST}) == {name: DATA}


def test_a_request_is_repeated_after_a_single_fault(s3_server: S3Server, proxy: Proxy) -> None:
    store, name = s3_server.store(proxy.address, **HASTE), original_name(uuid4())
    proxy.fault, proxy.faults = "503", 1
    store.put({name: DATA})
    assert proxy.requests == 2


def test_a_slow_store_is_no_fault(store: ObjectStore, proxy: Proxy) -> None:
    name = original_name(uuid4())
    proxy.fault, proxy.faults = "slow", 1
    store.put({name: DATA})
    assert store.get({name: DIGEST}) == {name: DATA}


def test_bytes_of_a_wrong_length_are_read_again(
    store: ObjectStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.storage.object_store.WRONG_PAUSE", 0.001)
    name = original_name(uuid4())
    store.put({name: DATA})
    proxy.fault, proxy.faults = "short", 3
    assert store.get({name: DIGEST}) == {name: DATA}


def test_bytes_that_keep_a_wrong_length_are_damaged(
    store: ObjectStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.storage.object_store.WRONG_PAUSE", 0.001)
    name = original_name(uuid4())
    store.put({name: DATA})
    proxy.fault = "short"
    assert isinstance(store.get({name: DIGEST})[name], BytesDamaged)


def test_a_request_to_a_stopped_server_times_out(s3_server: S3Server) -> None:
    hasty = s3_server.store(client={"timeout": timedelta(seconds=1)}, retry_config={"max_retries": 0})
    store, name = s3_server.store(), original_name(uuid4())
    store.put({name: DATA})
    s3_server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            hasty.put({original_name(uuid4()): DATA})
    finally:
        s3_server.process.send_signal(signal.SIGCONT)
    wait_until(lambda: _got(store, name))


def _got(store: ObjectStore, name: str) -> bool:
    try:
        return store.get({name: DIGEST}) == {name: DATA}
    except Unavailable:
        return False


class TestSystem:
    """Parts of the pipeline on a catalog with that storage."""

    @pytest.fixture
    def stored(self, database: str, store: ObjectStore) -> Iterator[Catalog]:
        with Catalog(database, objects=store) as found:
            yield found

    @pytest.mark.parametrize("fault", AWAY)
    def test_an_upload_waits_in_the_spool(self, stored: Catalog, proxy: Proxy, tmp_path: Path, fault: Fault) -> None:
        spool = Spool(tmp_path / "spool")
        spool.prepare()
        with spool.draft() as draft:
            draft.original.write_bytes(DATA)
            spool.store(draft, upload(DATA, id=draft.id))
        proxy.fault = fault
        with pytest.raises(Unavailable):
            ingest(spool, stored)
        [put] = stored.figures.storage_usage()
        assert (put.operation, put.errors) == ("put", 1)
        assert len(spool.scan(10)) == 1
        proxy.fault = "none"
        assert ingest(spool, stored) == 1
        assert spool.scan(10) == []
        [image] = stored.queue.lease("run", 1, 15).images  # type: ignore[union-attr]
        assert stored.queue.originals([image]) == {draft.id: DATA}

    @pytest.mark.slow
    @pytest.mark.parametrize("fault", ["503", "cut off"])
    def test_a_worker_waits_and_keeps_its_attempt(
        self, stored: Catalog, store: ObjectStore, proxy: Proxy, fault: Fault
    ) -> None:
        original, recipe = photo(96, 64), Recipe.parse("circles")
        new = upload(original, NOON, recipe=recipe.as_json(), recipe_digest=recipe.digest, recipe_name=None)
        stored.queue.add([(new, original)])
        before = proxy.requests
        proxy.fault = fault
        with Sandbox(Limits(2**20, 10**6, 10**4), 1024 * 2**20, 120) as sandbox:
            worker = Worker(stored, sandbox, uuid4(), "run", Terms(linger_seconds=0))
            thread = threading.Thread(target=worker.drain, args=[NOON])
            thread.start()
            wait_until(lambda: proxy.requests > before + 4)  # it reads the original again and again
            proxy.fault = "none"
            thread.join()
        image = stored.images.one(new.id)
        assert image is not None
        assert (image.state, image.attempt, image.failed_attempts) == (State.DONE, 1, 0)
        assert len(list(store.listed())) == 3
