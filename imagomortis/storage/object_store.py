"""Keeps bytes in an object store: S3, Google Cloud Storage, Azure, or a folder."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore import exceptions
from obstore.store import LocalStore, from_url

from imagomortis.errors import BytesDamaged, ConfigurationError, Unavailable
from imagomortis.storage.storage import LARGE, NOTHING, InBucket, Stored
from imagomortis.storage.usage import Usage

if TYPE_CHECKING:
    from obstore import SignCapableStore
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as AnyStore

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE: Final = 8
"""Threads for calls with several objects. A call for one object runs in the caller's thread."""

RETRY: Final[RetryConfig] = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
"""How often a request is repeated. The callers repeat it for longer, each as long as it can wait."""

CLIENT: Final[ClientConfig] = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=30)}
"""Limits of one request. They are shorter than a tick of the pusher, which Dagster ends after a minute."""

PART: Final = 8 * 1024 * 1024
"""Bytes of a large object that go in one request, so that a slow network needs to carry only these in its time."""

PARTS_AT_ONCE: Final = 2
"""Parts of one object that are put at the same time, and are then in memory."""

LINKED: Final = timedelta(minutes=10)
"""How long a signed URL lasts."""

LISTED: Final = 1000
"""Objects that are listed in one request."""

FOLDERS: Final = 100_000
"""Names of folders that are kept in memory. To sort them, all are read each time."""

FILES: Final = 10_000
"""Files of one folder that are kept in memory, for the same reason."""

DELETED: Final = 1000
"""Objects that are removed in one request, the most that S3 allows."""

WRONG_TRIES: Final = 5
WRONG_PAUSE: Final = 0.2
"""How often bytes with a wrong digest are read, because a proxy can have cut them off. The first pause, in seconds, is
doubled each time."""


class ObjectStore:
    """A bucket with a prefix. A put stores a whole object or nothing."""

    def __init__(self, store: AnyStore, bucket: Bucket | None = None) -> None:
        """Take obstore's store, and its bucket if objects can be copied from other prefixes of it."""
        self.usage = Usage()
        self._store = store
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="storage")

    @classmethod
    def of(
        cls, url: str, endpoint: str = "", credentials: Mapping[str, str] = NOTHING, *, path_style: bool = True
    ) -> ObjectStore:
        """Open the store of a URL, with the given credentials, or those of the usual variables or of the machine.

        The given ones have the names of the variables, such as ``AWS_ACCESS_KEY_ID``.
        Raises ConfigurationError if that fails.
        """
        scheme = urlsplit(url).scheme
        try:
            if scheme == "file":
                return Folder(Path(unquote(urlsplit(url).path)))
            config: Any = dict(credentials)  # obstore's types lack the names of variables
            client = CLIENT
            if scheme == "s3" and endpoint:
                config |= {"endpoint": endpoint, "virtual_hosted_style_request": not path_style}
                client = {**CLIENT, "allow_http": endpoint.startswith("http://")}

            def opened(place: str) -> AnyStore:
                return from_url(place, config=config, client_options=client, retry_config=RETRY)

            return cls(opened(url), Bucket.of(url, endpoint, opened))
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise ConfigurationError(
                f"The storage {url} cannot be used ({_reason(error)}); for example s3://bucket/prefix."
            ) from error

    def put(self, objects: Mapping[str, bytes | Path | InBucket], media_types: Mapping[str, str] = NOTHING) -> None:
        """Store bytes, or those of a file or of the same bucket, under their names, several at once."""
        self.each(lambda item: self._put(*item, media_types.get(item[0])), objects.items())

    def in_bucket(self, name: str, other: ObjectStore) -> InBucket | None:
        """Return an object as bytes that ``other`` can copy; None if that is in another bucket."""
        mine, its = self._bucket, other._bucket  # of the same class
        if mine is None or its is None or mine.address != its.address:
            return None
        return InBucket(mine.address, mine.full(name))

    def create(self, name: str, data: bytes) -> bool:
        """Store bytes under a name unless it exists; return whether this call stored them.

        It returns False too if the store got them and its answer was lost.
        """
        try:
            with self._asking("put", name) as sizes:
                obstore.put(self._store, name, data, mode="create", use_multipart=False)
                sizes.append(len(data))
        except _Exists:
            return False
        return True

    def copy(self, name: str, other: str) -> None:
        """Copy an object within the store to another name; raises BytesDamaged if it does not exist."""
        with self._asking("copy", name):
            obstore.copy(self._store, name, other)

    def get(self, digests: Mapping[str, bytes]) -> dict[str, bytes | BytesDamaged]:
        """Return the bytes of each name, after a comparison with its SHA-256, or the error that was found."""
        found = self.each(lambda item: self._get(*item), digests.items())
        return dict(zip(digests, found, strict=True))

    def read(self, name: str, start: int, length: int) -> bytes:
        """Return bytes of a name from ``start``."""
        with self._asking("range", name) as sizes:
            found = bytes(obstore.get_range(self._store, name, start=start, length=length))
            sizes.append(len(found))
        return found

    def link(self, name: str) -> str:
        """Return a URL by which anyone can read an object for ten minutes. It is signed here, without a request."""
        with self._asking("link", name):
            return obstore.sign(cast("SignCapableStore", self._store), "GET", name, LINKED)

    def head(self, name: str) -> Stored | None:
        """Return the object of a name without its bytes; None if it does not exist."""
        try:
            with self._asking("head", name):
                found = obstore.head(self._store, name)
        except BytesDamaged:
            return None
        return _stored(found)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, many in one request if the store can do that."""
        wanted = list(names)
        for start in range(0, len(wanted), DELETED):
            self._delete(wanted[start : start + DELETED])

    def listed(self, after: str = "", folder: str = "") -> Iterator[Stored]:
        """Yield all objects whose names follow ``after``, in the order of the names; perhaps of one folder."""
        pages = iter(obstore.list(self._store, folder or None, offset=after or None, chunk_size=LISTED))
        while page := self._page(pages):
            for each in page:
                yield _stored(each)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call a function for each item, several at once; the first error prevents further calls and is raised.

        The function may ask for single objects only.
        """
        wanted = list(items)
        if len(wanted) == 1:
            return [function(wanted[0])]
        futures = [self._threads.submit(function, item) for item in wanted]
        ended, pending = wait(futures, return_when=FIRST_EXCEPTION)
        begun = [future for future in pending if not future.cancel()]
        wait(begun)
        for future in ended:
            future.result()
        return [future.result() for future in futures]

    def _put(self, name: str, data: bytes | Path | InBucket, media_type: str | None) -> None:
        if isinstance(data, InBucket):
            self._put_copy(name, data)
            return
        with self._asking("put", name) as sizes:
            size = data.stat().st_size if isinstance(data, Path) else len(data)
            obstore.put(
                self._store,
                name,
                data,
                attributes={"Content-Type": media_type} if media_type else None,
                use_multipart=size > LARGE,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )
            sizes.append(size)

    def _put_copy(self, name: str, data: InBucket) -> None:
        bucket = self._bucket
        if bucket is None or bucket.address != data.address:
            raise ValueError(f"{data.name} is in {data.address}, not in the bucket of this storage.")
        with self._asking("put", data.name):
            obstore.copy(bucket.store, data.name, bucket.full(name))

    def _get(self, name: str, sha256: bytes) -> bytes | BytesDamaged:
        pause = WRONG_PAUSE
        for is_last in (False,) * (WRONG_TRIES - 1) + (True,):
            try:
                found = self._whole(name)
            except BytesDamaged as error:
                return error
            if hashlib.sha256(found).digest() == sha256:
                return found
            if not is_last:
                time.sleep(pause)
                pause *= 2
        return BytesDamaged(f"The storage has other bytes under {name}: they do not have the SHA-256 {sha256.hex()}.")

    def _whole(self, name: str) -> bytes:
        """Return all bytes of a name, which takes one request for each part."""
        with self._asking("get", name) as sizes:
            first = obstore.get(self._store, name, options={"range": (0, PART)})
            found = bytes(first.bytes())
            sizes.append(len(found))
        size = first.meta["size"]
        if size <= PART:
            return found
        whole = io.BytesIO(found)  # needs the memory once; a join of the parts would need it twice
        whole.seek(len(found))
        while whole.tell() < size and (part := self.read(name, whole.tell(), PART)):
            whole.write(part)
        return whole.getvalue()

    def _delete(self, names: list[str]) -> None:
        try:
            with self._asking("delete", names[0]):
                obstore.delete(self._store, names)
        except BytesDamaged:  # one does not exist, and the store left the others
            if len(names) > 1:
                self.each(lambda name: self._delete([name]), names)

    def _page(self, pages: Iterator[Sequence[obstore.ObjectMeta]]) -> Sequence[obstore.ObjectMeta]:
        with self._asking("list", ""):
            return next(pages, [])

    @contextmanager
    def _asking(self, operation: str, name: str) -> Iterator[list[int]]:
        """Count a request; raise BytesDamaged if the object does not exist, and Unavailable for any other error."""
        try:
            with self.usage.noting(operation) as sizes:
                yield sizes
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            if operation in {"put", "list"} or "NoSuchBucket" in str(error):
                raise _unavailable(error) from error
            raise BytesDamaged(f"The storage has no {name}.") from error
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
            raise _Exists(name) from error
        except (exceptions.BaseError, OSError) as error:
            raise _unavailable(error) from error


@dataclass(frozen=True)
class Bucket:
    """The bucket of a storage: its URL, the prefix of the storage in it, and how it is opened."""

    url: str
    endpoint: str
    prefix: str
    open: Callable[[str], AnyStore]

    @property
    def address(self) -> str:
        """A bucket that two storages share."""
        return f"{self.url} {self.endpoint}"

    @cached_property
    def store(self) -> AnyStore:
        """The bucket without the prefix."""
        return self.open(self.url)

    @classmethod
    def of(cls, url: str, endpoint: str, opened: Callable[[str], AnyStore]) -> Bucket:
        """Return the bucket of a URL."""
        parts = urlsplit(url)
        return cls(f"{parts.scheme}://{parts.netloc}", endpoint, unquote(parts.path).strip("/"), opened)

    def full(self, name: str) -> str:
        """Return the name in the bucket of an object of the storage."""
        return f"{self.prefix}/{name}" if self.prefix else name


class _Exists(Exception):
    """An object that was to be created and exists."""


class Folder(ObjectStore):
    """A folder of this machine. obstore neither syncs it after a put nor lists it in the order of the names."""

    def __init__(self, root: Path) -> None:
        """Take the folder, and create it if it does not exist."""
        super().__init__(LocalStore(root, automatic_cleanup=True, mkdir=True))
        self._root = root

    def put(
        self,
        objects: Mapping[str, bytes | Path | InBucket],
        media_types: Mapping[str, str] = NOTHING,  # noqa: ARG002
    ) -> None:
        """Store bytes under their names, and sync the files and the folders that hold them."""
        super().put(objects)  # files have no media types
        self._sync(*objects)

    def create(self, name: str, data: bytes) -> bool:
        """Store bytes under a name unless it exists, and sync them; return whether this call stored them."""
        is_new = super().create(name, data)
        self._sync(name)
        return is_new

    def copy(self, name: str, other: str) -> None:
        """Copy a file to another name, and sync it; raises BytesDamaged if it does not exist."""
        super().copy(name, other)
        self._sync(other)

    def _sync(self, *names: str) -> None:
        paths = [self._root / name for name in names]
        folders = [folder for path in paths for folder in path.parents if folder.is_relative_to(self._root)]
        for path in dict.fromkeys([*paths, *folders]):
            with self._asking("sync", str(path)), suppress(FileNotFoundError):  # its image was purged meanwhile
                _sync_path(path)

    def listed(self, after: str = "", folder: str = "") -> Iterator[Stored]:
        """Yield all objects whose names follow ``after``, in the order of the names; perhaps of one folder."""
        for each in [folder] if folder else self._folders(after.partition("/")[0]):
            yield from self._list_folder(each, after)

    def _folders(self, since: str) -> Iterator[str]:
        while portion := self._next_folders(since):
            yield from portion
            since = f"{portion[-1]}\0"  # the next one in their order

    def _next_folders(self, since: str) -> list[str]:
        with self._asking("list", ""), os.scandir(self._root) as entries:
            return nsmallest(FOLDERS, (each.name for each in entries if each.name >= since and each.is_dir()))

    def _list_folder(self, folder: str, after: str) -> Iterator[Stored]:
        while portion := self._next_files(folder, after):
            yield from portion
            if len(portion) < FILES:
                break
            after = portion[-1].name

    def _next_files(self, folder: str, after: str) -> list[Stored]:
        with self._asking("list", ""):
            pages = obstore.list(self._store, folder, chunk_size=LISTED)
            files = (_stored(each) for page in pages for each in page if each["path"] > after)
            return nsmallest(FILES, files, key=lambda each: each.name)


def _stored(found: obstore.ObjectMeta) -> Stored:
    return Stored(found["path"], found["size"], found["last_modified"], found["e_tag"] or "")


def _sync_path(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unavailable(error: Exception) -> Unavailable:
    if _ASKED_MACHINE in str(error):
        return Unavailable(
            "No credentials for the storage were found: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and "
            "this machine has none of its own. Nothing is lost.",
            retry_after=5,
        )
    if _REFUSED.search(str(error)):
        return Unavailable(f"The storage refuses this ({_reason(error)}). Nothing is lost.", retry_after=5)
    return Unavailable(
        f"The storage does not answer right now ({_reason(error)}). Nothing is lost; try again in a few seconds.",
        retry_after=5,
    )


_ASKED_MACHINE: Final = "/latest/api/token"
"""Part of the address at which Amazon's machines have credentials. It is asked only if no variable names any."""

_REFUSED: Final = re.compile(r"status code: 40[13] ")
_ANSWER: Final = re.compile(r"<Code>([^<]+)</Code>\s*<Message>([^<]+)</Message>")


def _reason(error: Exception) -> str:
    """Return the store's own words, or the first line of an error; the other lines are obstore's internal structure."""
    if found := _ANSWER.search(str(error)):
        return f"{found[1]}: {found[2].rstrip('.')}"[:300]
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
