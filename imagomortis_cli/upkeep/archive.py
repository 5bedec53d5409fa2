"""Reads and writes the file of a backup: a tar archive whose last member, the manifest, lists all others by digest.

Members are written while their length is still unknown. Each header is completed when its member has ended. Any `tar`
can read the archive.
"""

from __future__ import annotations

import hashlib
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, ClassVar, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from imagomortis.errors import ConfigurationError, ImagoMortisError

MANIFEST: Final = "manifest.json"
CHUNK: Final = 1024 * 1024

Advance = Callable[[int], object]
"""Gets each number of bytes that was handled."""


class DamagedBackup(ImagoMortisError):
    """A file that is not a backup, or not a complete one."""

    slug = "damaged-backup"
    title = "The backup cannot be used"


class Member(BaseModel):
    """A part of the archive: its name, its length in bytes, and its SHA-256 in hexadecimal digits."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """The contents of a backup, and the versions that made it.

    ``elsewhere`` counts pictures whose bytes are in an object store and not in the backup; ``uploads`` are entries of
    the spool; ``tools`` is the major version of the `pg_dump` that wrote the dumps.
    """

    model_config = ConfigDict(frozen=True)

    FORMAT: ClassVar[Literal[1]] = 1

    format: Literal[1]
    created_at: AwareDatetime
    version: str
    dagster_version: str
    postgres: int
    tools: int
    images: int
    originals: int
    renditions: int
    elsewhere: int = 0
    uploads: int
    members: tuple[Member, ...]

    def names(self) -> set[str]:
        """Return the names of the members."""
        return {member.name for member in self.members}

    @property
    def size(self) -> int:
        """The bytes of all members."""
        return sum(member.size for member in self.members)


class Writer:
    """Writes members one after the other into a seekable file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes], advance: Advance = lambda _: None) -> Member:
        """Write a member, and pass the number of its bytes to ``advance``; compute its length and digest meanwhile."""
        start = self._file.tell()
        self._file.write(_header(name, 0))
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            self._file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            advance(len(chunk))
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))
        end = self._file.tell()
        self._file.seek(start)
        self._file.write(_header(name, size))
        self._file.seek(end)
        self.members.append(Member(name=name, size=size, sha256=digest.hexdigest()))
        return self.members[-1]

    def close(self, manifest: Manifest) -> None:
        """Write the manifest and the end of the archive."""
        self.add(MANIFEST, [manifest.model_dump_json(indent=2).encode()])
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))


class Reader:
    """Reads an archive that `Writer` wrote."""

    def __init__(self, path: Path) -> None:
        """Open the archive and read its manifest; raises DamagedBackup if it is not a complete backup."""
        self._path = path
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115  # closed by `close`
        except FileNotFoundError as error:
            raise ConfigurationError(f"There is no file {path}: give the path of a backup.") from error
        except (tarfile.TarError, OSError) as error:
            raise self._damaged(str(error)) from error
        self.manifest = self._manifest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def read(self, name: str, advance: Advance = lambda _: None) -> Iterator[bytes]:
        """Yield the bytes of a member."""
        found = self._tar.extractfile(name)
        if found is None:
            raise self._damaged(f"{name} is no file")
        while chunk := found.read(CHUNK):
            advance(len(chunk))
            yield chunk

    def verify(self, advance: Advance) -> None:
        """Read everything once; raises DamagedBackup unless every byte matches the manifest."""
        try:
            for member in self.manifest.members:
                digest = hashlib.sha256()
                for chunk in self.read(member.name, advance):
                    digest.update(chunk)
                if digest.hexdigest() != member.sha256:
                    raise self._damaged(f"the SHA-256 of {member.name} differs from the manifest's")
        except (KeyError, tarfile.TarError, OSError) as error:
            raise self._damaged(str(error)) from error

    def _manifest(self) -> Manifest:
        try:
            # a truncated tar ends without an error, but lacks the manifest, which comes last
            return Manifest.model_validate_json(b"".join(self.read(MANIFEST)))
        except KeyError as error:
            raise self._damaged("it has no manifest, so it is incomplete, or no backup of ImagoMortis") from error
        except ValidationError as error:
            raise self._damaged(
                f"its manifest is not one that this version knows ({error.errors()[0]['msg']})"
            ) from error
        except (tarfile.TarError, OSError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> DamagedBackup:
        return DamagedBackup(f"{self._path}: {reason}. Nothing was changed; use another backup.")


def _header(name: str, size: int) -> bytes:
    """Return the header block of a member; GNU's format has room for any length."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member.tobuf(tarfile.GNU_FORMAT)
