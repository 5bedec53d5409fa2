"""The child of a sandbox that has been taken over: it does, or answers, what the picture that it is given names.

Run as `imagomortis.sandbox.child` is. Only the decoder differs, so it is as confined as every child.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from imagomortis.errors import BrokenPicture
from imagomortis.picture.header import Header, Limits
from imagomortis.sandbox import child

libc = ctypes.CDLL(None, use_errno=True)
PARENT = os.getppid()
LINE = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else -1


def raise_limits() -> None:
    """Allow itself more open files, as root may."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
    except ValueError as error:  # in this one case Python says so by another error
        raise PermissionError from error


FAILING: dict[str, Callable[[Path], object]] = {
    "read a file": lambda _: Path("/etc/passwd").read_bytes(),
    "read its own code": lambda _: Path(__file__).read_bytes(),
    "read its parent's environment": lambda _: Path(f"/proc/{PARENT}/environ").read_bytes(),
    "read its parent's memory": lambda _: os.open(f"/proc/{PARENT}/mem", os.O_RDONLY),
    "open what is open by its path": lambda _: os.open("/proc/self/fd/0", os.O_RDONLY),
    "list a folder": lambda _: list(Path("/").iterdir()),
    "write a file": lambda path: path.write_text("was here"),
    "delete a file": lambda path: path.unlink(),
    "change a file's rights": lambda path: path.chmod(0o777),
    "have new code": lambda _: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "let a signal be sent": lambda _: fcntl.fcntl(LINE, fcntl.F_SETOWN, PARENT),
    "signal by its thread": lambda _: _libc("tgkill", PARENT, PARENT, signal.SIGURG),
    "see or set its parent's limits": lambda _: resource.prlimit(PARENT, resource.RLIMIT_CORE),
    "raise its limits": lambda _: raise_limits(),
    "stop being traced": lambda _: _libc("prctl", 4, 1),
}
"""What fails, and leaves the child alive."""

FATAL: dict[str, Callable[[], object]] = {
    "open a socket": socket.socket,
    "connect": lambda: _libc("connect", LINE, None, 0),
    "start a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "trace its parent": lambda: _libc("ptrace", 16, PARENT, None, None),
    "signal its parent": lambda: os.kill(PARENT, signal.SIGURG),
}
"""What ends the child at once."""


def _libc(name: str, *arguments: Any) -> None:
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def try_all(path: Path) -> None:
    """Try what fails, on a file of the test's own, and say as a refusal what did not."""
    done = []
    for name, attack in FAILING.items():
        with suppress(PermissionError):
            attack(path)
            done.append(name)
    thread = Thread(target=lambda: None)
    thread.start()
    thread.join()
    raise BrokenPicture(f"It could {json.dumps(done)}.")


HEADER = Header("PNG", "image/png", 4, 3, 1, 1, size=0, end=1)
LIES: dict[str, dict[str, Any]] = {
    "media type": {"media_type": "text/html"},
    "format": {"format": "SVG"},
    "size": {"width": 10**9},
    "file": {"size": 5, "end": 5},
    "end": {"end": 10**9},
    "text": {"width": "<script>"},
}


def verify(descriptor: int, limits: Limits, header: Header) -> Header:
    """Do as the picture says."""
    asked = os.read(descriptor, 1000).decode()
    if asked.startswith("/"):
        try_all(Path(asked))
    if asked in FATAL:
        FATAL[asked]()
    if asked == "garble":
        os.write(LINE, b"\0\0\0\x05nonsense")
    if asked == "flood":
        promise = json.dumps({"blobs": [3 << 29]}).encode()  # bytes that a child's memory cannot hold
        os.write(LINE, len(promise).to_bytes(4, "big") + promise)
    return Header(**{**vars(HEADER), "size": len(asked), **LIES.get(asked, {})})


def main() -> None:
    """Serve as a child does, by the decoder above."""
    child.read_header = lambda *_: HEADER
    child.verify = verify
    child.main()


if __name__ == "__main__":
    main()
