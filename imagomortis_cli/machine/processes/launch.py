"""Starts a program that ends with its parent, as another user if necessary. This script imports little.

    python -I -S launch.py PARENT SIGNAL IDENTITY PROGRAM ARGUMENT...

Code between ``fork`` and ``exec`` is not safe in a process with threads. So it is in this small program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWUSER = 0x1000_0000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Identity:
    """A user and group to run as. In a user namespace they are only other numbers for the current ones."""

    uid: int
    gid: int
    namespace: bool = False

    def __str__(self) -> str:
        """Return the form that the script accepts."""
        return f"{'namespace' if self.namespace else 'user'}:{self.uid}:{self.gid}"

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """Return the identity in ``text``; None for ``present``."""
        if text == "present":
            return None
        kind, uid, gid = text.split(":")
        return cls(int(uid), int(gid), kind == "namespace")


def command(
    argv: Sequence[str | Path], *, identity: Identity | None = None, death_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """Return the command that runs ``argv``, and sends it ``death_signal`` when the calling process dies.

    The death signal is a feature of Linux; elsewhere the program just runs. It depends on the thread that forks, so
    start the command from one that lives as long as the process. Exit code 126 means that the identity is not
    available, 127 that the program does not exist.
    """
    if identity is None and sys.platform != "linux":
        return [str(word) for word in argv]
    who = str(identity) if identity else "present"
    here = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*here, str(os.getpid()), str(int(death_signal)), who, *(str(word) for word in argv)]


def _main() -> None:
    parent, death_signal, identity = int(sys.argv[1]), int(sys.argv[2]), Identity.parse(sys.argv[3])
    program = sys.argv[4:]
    try:
        if identity:
            _become(identity)
        _die_with(parent, death_signal)
    except OSError as error:
        sys.stderr.write(f"cannot run {program[0]} as {sys.argv[3]}: {error}\n")
        sys.exit(126)
    try:
        os.execv(program[0], program)  # noqa: S606  # there is no shell to avoid
    except OSError as error:
        sys.stderr.write(f"cannot run {program[0]}: {error}\n")
        sys.exit(127)


def _become(identity: Identity) -> None:
    if not identity.namespace:
        os.setgroups([])
        os.setgid(identity.gid)
        os.setuid(identity.uid)
        return
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{identity.uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{identity.gid} {gid} 1")


def _die_with(parent: int, death_signal: int) -> None:
    """Set the death signal last, because a change of credentials clears it."""
    if sys.platform != "linux":
        return
    _call("prctl", _PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # the parent died before the signal was set
        sys.exit(0)


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    _main()
