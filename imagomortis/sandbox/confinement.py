"""Takes every right from a process that decoding pictures does not need: files, network, other processes, programs.

Each layer holds without the others, and none can be taken back:

``no_new_privs``
    no program that it might start gets more rights than it has (prctl(2)); the kernel wants it for the next two
``capabilities``
    root is no more than any other user (capset(2))
``landlock``
    no path can be opened, no TCP port be used, no process outside be signalled; what is open stays open:
    https://docs.kernel.org/userspace-api/landlock.html
``seccomp``
    the kernel's own doors are shut but for the few calls that decoding needs: ``system_calls``

A kernel, or the runtime of a container, may lack a layer.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from imagomortis.sandbox.system_calls import seccomp_filter

if TYPE_CHECKING:
    from imagomortis.settings import Settings

_libc = ctypes.CDLL(None, use_errno=True)

# linux/prctl.h
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
# by the tables that `system_calls` names
_CAPSET = {"x86_64": 126, "aarch64": 91}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522
# linux/seccomp.h
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
# linux/landlock.h: every right to files, to TCP ports, and to processes outside, as the interface grew; newest first
_LANDLOCK_RIGHTS = (
    ((1 << 16) - 1, 3, 3),
    ((1 << 16) - 1, 3, 0),
    ((1 << 15) - 1, 3, 0),
    ((1 << 15) - 1, 0, 0),
    ((1 << 14) - 1, 0, 0),
    ((1 << 13) - 1, 0, 0),
)


def confine() -> dict[str, str]:
    """Give up all rights but those to decode, of this thread and those that it starts; return which layers are missing.

    The value says why one is missing.
    """
    missing = {}
    for name, close in LAYERS.items():
        try:
            close()
        except (OSError, NotImplementedError) as error:
            missing[name] = str(error)
    return missing


def hide(settings: Settings) -> None:
    """Keep a parent's memory and environment from other processes of the same user, also where layers are missing.

    See prctl(2), PR_SET_DUMPABLE. It takes core dumps and debuggers away too. Not on one machine: there the supervisor
    finds processes that a killed one left by their environment.
    """
    from imagomortis.settings import Executor  # its 50 ms are not for the child

    if settings.executor is Executor.KUBERNETES:
        _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _refuse_privileges() -> None:
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _drop_capabilities() -> None:
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    _call(_number(_CAPSET), header, none)


def _close_files_and_network() -> None:
    ruleset = _ruleset()
    try:
        _call(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _ruleset() -> int:
    """Return a ruleset of all rights that this kernel knows of, with no rule that would grant one."""
    for rights in _LANDLOCK_RIGHTS[:-1]:
        try:
            return _create_ruleset(rights)
        except OSError:  # an older kernel does not know all of them; the last says why there is none at all
            continue
    return _create_ruleset(_LANDLOCK_RIGHTS[-1])


def _create_ruleset(rights: tuple[int, int, int]) -> int:
    attributes = struct.pack("=QQQ", *rights)
    return _call(_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)


def _filter_system_calls() -> None:
    number = _number(_SECCOMP)
    program = ctypes.create_string_buffer(seccomp_filter(os.uname().machine, os.getpid()))
    # struct sock_fprog: how many instructions of eight bytes, and where they are
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(program))
    _call(number, _SET_MODE_FILTER, _FLAG_TSYNC, described)


LAYERS: Final[Mapping[str, Callable[[], None]]] = {
    "no_new_privs": _refuse_privileges,
    "capabilities": _drop_capabilities,
    "landlock": _close_files_and_network,
    "seccomp": _filter_system_calls,
}
"""Every layer by its name, in the order in which they are put on."""


def _number(numbers: Mapping[str, int]) -> int:
    machine = os.uname().machine
    if machine not in numbers:
        raise NotImplementedError(f"the numbers of system calls on {machine} are not known")
    return numbers[machine]


def _call(number: int, *arguments: int | bytes) -> int:
    """Make a system call; raise OSError as the kernel says."""
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_as_word, arguments)))


def _as_word(argument: int | bytes) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_long(argument)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
