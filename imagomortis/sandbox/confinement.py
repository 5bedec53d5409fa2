"""Takes away every right that decoding pictures does not need: files, network, other processes, programs.

Each layer works without the others, and none can be undone:

``no_new_privs``
    no program that the process starts gets more rights than the process (prctl(2)); the next two layers require it
``capabilities``
    root has no more rights than any other user (capset(2))
``landlock``
    no path can be opened, no TCP port used, no outside process signalled; open files stay open:
    https://docs.kernel.org/userspace-api/landlock.html
``seccomp``
    the kernel accepts only the few system calls that decoding needs: ``system_calls``

A kernel, or a container runtime, can lack a layer.
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
# from the tables that `system_calls` names
_CAPSET = {"x86_64": 126, "aarch64": 91}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522
# linux/seccomp.h
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
# linux/landlock.h: all rights to files, TCP ports and outside processes, by version of the interface; newest first
_LANDLOCK_RIGHTS = (
    ((1 << 16) - 1, 3, 3),
    ((1 << 16) - 1, 3, 0),
    ((1 << 15) - 1, 3, 0),
    ((1 << 15) - 1, 0, 0),
    ((1 << 14) - 1, 0, 0),
    ((1 << 13) - 1, 0, 0),
)


def confine() -> dict[str, str]:
    """Give up all rights except decoding, for this thread and those that it starts; return the missing layers.

    The values say why a layer is missing.
    """
    missing = {}
    for name, close in LAYERS.items():
        try:
            close()
        except (OSError, NotImplementedError) as error:
            missing[name] = str(error)
    return missing


def hide(settings: Settings) -> None:
    """Hide a parent's memory and environment from other processes of the same user, even if layers are missing.

    See prctl(2), PR_SET_DUMPABLE, which also prevents core dumps and debugging. It is not used on one machine, where
    the supervisor finds orphaned processes by their environment.
    """
    if settings.is_in_cluster:
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
    """Return a ruleset that handles all rights known to this kernel, without a rule that grants one."""
    for rights in _LANDLOCK_RIGHTS[:-1]:
        try:
            return _create_ruleset(rights)
        except OSError:  # an older kernel knows fewer rights; the last attempt's error says why there is none
            continue
    return _create_ruleset(_LANDLOCK_RIGHTS[-1])


def _create_ruleset(rights: tuple[int, int, int]) -> int:
    attributes = struct.pack("=QQQ", *rights)
    return _call(_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)


def _filter_system_calls() -> None:
    number = _number(_SECCOMP)
    program = ctypes.create_string_buffer(seccomp_filter(os.uname().machine, os.getpid()))
    # struct sock_fprog: the number of instructions (8 bytes each) and their address
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(program))
    _call(number, _SET_MODE_FILTER, _FLAG_TSYNC, described)


LAYERS: Final[Mapping[str, Callable[[], None]]] = {
    "no_new_privs": _refuse_privileges,
    "capabilities": _drop_capabilities,
    "landlock": _close_files_and_network,
    "seccomp": _filter_system_calls,
}
"""Every layer by its name, in the order in which they are applied."""


def _number(numbers: Mapping[str, int]) -> int:
    machine = os.uname().machine
    if machine not in numbers:
        raise NotImplementedError(f"the numbers of system calls on {machine} are not known")
    return numbers[machine]


def _call(number: int, *arguments: int | bytes) -> int:
    """Make a system call; raise OSError if the kernel reports an error."""
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_as_word, arguments)))


def _as_word(argument: int | bytes) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_long(argument)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
