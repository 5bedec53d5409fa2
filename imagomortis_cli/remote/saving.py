"""Saves downloads to files, each completely or not at all."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path
from typing import IO, Final
from uuid import UUID

import httpx

from imagomortis.errors import Unavailable
from imagomortis.spool.upload import clean_filename
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.files import shortened, written
from imagomortis_cli.terminal import Advance

CHUNK: Final = 256 * 1024

LEFT_OUT: Final = "not-included.txt"
"""The member of a zip file that names the pictures left out by the server, one per line."""

NAME_BYTES: Final = 255
"""The longest file name, in bytes, that file systems accept."""


OUTPUT_NAME: Final = r"[a-z0-9_-]{1,32}"
"""The names that outputs can have."""


@dataclass(frozen=True)
class PictureChoice:
    """Which picture of an image: a kind, or the output of a name; without both the best one there is."""

    kind: str | None = None
    output: str | None = None


class TargetFolder:
    """A folder for downloads, for any number of threads."""

    def __init__(self, client: Client, folder: Path, *, overwrite: bool) -> None:
        """Take the folder, which is created if it does not exist, and whether its files may be replaced."""
        self._client = client
        self._folder = folder
        self._overwrite = overwrite
        self._taken = set[str]()
        self._lock = threading.Lock()

    def save(self, image_id: UUID, picture: PictureChoice, advance: Advance) -> Path:
        """Save one picture under its name, and return the file; ``advance`` gets fractions of 1.

        Raises Conflict if a file has that name, Unavailable if the bytes are not the announced ones, NotWritten, and
        the client's errors.
        """
        end = f"/outputs/{picture.output}" if picture.output else ""
        with self._client.stream("GET", f"images/{image_id}{end}", kind=picture.kind, download=True) as response:
            target = self._folder / self._name(response, image_id)
            digest, announced = hashlib.sha256(), int(response.headers.get("content-length", 0))
            with written(target, overwrite=self._overwrite) as file:
                for chunk in response.iter_bytes(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    advance(len(chunk) / max(announced, 1))
                _check(response, digest.hexdigest())
        return target

    def _name(self, response: httpx.Response, image_id: UUID) -> str:
        """Return the name that the server suggests; if another image has it already, the id is added."""
        # a server must not choose the folder
        suggested = clean_filename(_filename(response.headers.get("content-disposition", "")) or str(image_id))
        name = _fitting(suggested)
        with self._lock:
            if name.casefold() in self._taken:
                name = _fitting(suggested, f"-{image_id}")
            self._taken.add(name.casefold())
        return name


def save_zip(
    client: Client, ids: Sequence[UUID], picture: PictureChoice, target: Path, advance: Advance, *, overwrite: bool
) -> list[str]:
    """Save pictures as one zip file, and return the reasons for those left out; ``advance`` gets numbers of bytes.

    Raises as `TargetFolder.save` does.
    """
    document = {
        "ids": [str(image_id) for image_id in ids],
        **{name: value for name, value in asdict(picture).items() if value},
    }
    with client.stream("POST", "images/zip", document) as response, written(target, overwrite=overwrite) as file:
        for chunk in response.iter_bytes(CHUNK):
            file.write(chunk)
            advance(len(chunk))
        return _left_out(file)


def _left_out(file: IO[bytes]) -> list[str]:
    """Return a zip file's lines about left-out pictures; raise Unavailable if it is incomplete."""
    try:
        with zipfile.ZipFile(file) as bundle:
            return bundle.read(LEFT_OUT).decode().splitlines() if LEFT_OUT in bundle.namelist() else []
    except zipfile.BadZipFile as error:
        raise Unavailable("The zip file ended too early. Try again.") from error


def _filename(disposition: str) -> str | None:
    """Return the name in a ``Content-Disposition``, preferably the encoded one (RFC 6266, 4.3); None without one."""
    header = Message()
    header["Content-Disposition"] = disposition
    # the encoded one comes last
    names = [value for key, value in header.get_params([], "content-disposition") if key.lower() == "filename"]
    return collapse_rfc2231_value(names[-1]) if names else None


def _fitting(name: str, mark: str = "") -> str:
    """Return the name with a mark before its suffix, shortened to what file systems accept."""
    stem, suffix = Path(name).stem, Path(name).suffix
    if len(suffix) > 11:  # a sentence with a full stop, not a suffix
        stem, suffix = name, ""
    ending = mark + suffix
    return shortened(stem, NAME_BYTES - len(ending.encode())) + ending


def _check(response: httpx.Response, digest: str) -> None:
    """Raise Unavailable unless the bytes match the ETag, which is the SHA-256 of a picture."""
    tag = re.fullmatch(r'"([0-9a-f]{64})"', response.headers.get("etag", ""))
    if tag and tag.group(1) != digest:
        raise Unavailable("Other bytes came than were announced: their SHA-256 differs. Try again.")
