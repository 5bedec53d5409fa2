"""Builds a seccomp filter for a process that only decodes pictures.

Calls that decoding needs are allowed. Calls that only an attacker would make end the process. All others fail with
EPERM, which libraries handle well. A filter is a program of classic BPF that sees each call's number and arguments:
https://docs.kernel.org/userspace-api/seccomp_filter.html. The numbers are those of the kernel's tables
``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping

# each call's name, its number on x86-64 and its number on aarch64; "-" if it does not exist there
_ALLOWED = """
    read 0 63  write 1 64  readv 19 65  writev 20 66  pread64 17 67  lseek 8 62  close 3 57  fstat 5 80
    newfstatat 262 79  getcwd 79 17  poll 7 -  ppoll 271 73  recvfrom 45 207  recvmsg 47 212  sendto 44 206
    munmap 11 215  mremap 25 216  madvise 28 233  brk 12 214  mincore 27 232  membarrier 324 283
    futex 202 98  set_robust_list 273 99  rseq 334 293  set_tid_address 218 96  sched_yield 24 124
    sched_getaffinity 204 123  gettid 186 178  getpid 39 172  exit 60 93  exit_group 231 94  restart_syscall 219 128
    rt_sigaction 13 134  rt_sigprocmask 14 135  rt_sigreturn 15 139  sigaltstack 131 132
    clock_gettime 228 113  clock_getres 229 114  clock_nanosleep 230 115  nanosleep 35 101  gettimeofday 96 169
    setitimer 38 103  time 201 -  times 100 153  getrusage 98 165  getrandom 318 278  getcpu 309 168  uname 63 160
    sysinfo 99 179  getrlimit 97 163  setrlimit 160 164  getuid 102 174  geteuid 107 175  getgid 104 176
    getegid 108 177
"""
_LOOKED_INTO = """
    clone 56 220  clone3 435 435  mmap 9 222  mprotect 10 226  fcntl 72 25  prctl 157 167  prlimit64 302 261
    tgkill 234 131
"""
_FATAL = """
    socket 41 198  socketpair 53 199  connect 42 203  bind 49 200  listen 50 201  accept 43 202  accept4 288 242
    execve 59 221  execveat 322 281  fork 57 -  vfork 58 -
    ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440  kcmp 312 272
    pidfd_open 434 434  pidfd_getfd 438 438  pidfd_send_signal 424 424  kill 62 129  tkill 200 130
    rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240
    io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427  bpf 321 280  perf_event_open 298 241
    userfaultfd 323 282  keyctl 250 219  add_key 248 217  request_key 249 218
    mount 165 40  umount2 166 39  move_mount 429 429  open_tree 428 428  fsopen 430 430  fsconfig 431 431
    fsmount 432 432  fspick 433 433  mount_setattr 442 442  pivot_root 155 41  chroot 161 51  unshare 272 97
    setns 308 268  open_by_handle_at 304 265  name_to_handle_at 303 264  fanotify_init 300 262
    setuid 105 146  setgid 106 144  setreuid 113 145  setregid 114 143  setresuid 117 147  setresgid 119 149
    setfsuid 122 151  setfsgid 123 152  setgroups 116 159  capset 126 91  personality 135 92
    init_module 175 105  finit_module 313 273  delete_module 176 106  kexec_load 246 104  kexec_file_load 320 294
    reboot 169 142  swapon 167 224  swapoff 168 225  acct 163 89  quotactl 179 60  quotactl_fd 443 443
    syslog 103 116  settimeofday 164 170  clock_settime 227 112  adjtimex 159 171  clock_adjtime 305 266
    sethostname 170 161  setdomainname 171 162  iopl 172 -  ioperm 173 -  modify_ldt 154 -  vhangup 153 58
"""
_MACHINES = ("x86_64", "aarch64")
# linux/audit.h
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# linux/seccomp.h
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# linux/bpf_common.h
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
# offsets in seccomp_data; of an argument, the lower half, as both machines are little-endian
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_THREAD, _PROT_EXEC, _PR_SET_NAME, _MYSELF = 0x10000, 4, 15, 0
_F_GETFD, _F_GETFL, _F_DUPFD_CLOEXEC = 1, 3, 1030

_Instruction = tuple[int, int, int, int]
_Program = list[_Instruction]


def numbers(machine: str, fatal: bool = False) -> dict[str, int]:
    """Return the calls that can be allowed, or the fatal ones, with their numbers on a ``machine``.

    Raises NotImplementedError for a machine whose numbers are not known here.
    """
    if machine not in _MACHINES:
        raise NotImplementedError(f"the numbers of system calls on {machine} are not known")
    words = (_FATAL if fatal else _ALLOWED + _LOOKED_INTO).split()
    column = words[1 + _MACHINES.index(machine) :: 3]
    return {name: int(number) for name, number in zip(words[::3], column, strict=True) if number != "-"}


def seccomp_filter(machine: str, pid: int) -> bytes:
    """Return the filter for a process and its threads on a ``machine`` (``os.uname().machine``)."""
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    conditions = _conditions(pid)
    for name, number in numbers(machine).items():
        program += _on(number, conditions.get(name, _ending(_ALLOW)))
    for number in numbers(machine, fatal=True).values():
        program += _on(number, _ending(_KILL))
    program += _ending(_ERRNO | errno.EPERM)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _conditions(pid: int) -> Mapping[str, _Program]:
    """Return the programs that decide about calls by their arguments."""
    return {
        # Threads are allowed, processes are not. A filter cannot see the flags of `clone3`, and without it glibc starts
        # threads by `clone`.
        "clone": [_argument(0), (_IF_ANY_BIT, 0, 1, _CLONE_THREAD), *_ending(_ALLOW), *_ending(_KILL)],
        "clone3": _ending(_ERRNO | errno.ENOSYS),
        # no new code
        "mmap": [_argument(2), (_IF_ANY_BIT, 1, 0, _PROT_EXEC), *_ending(_ALLOW), *_ending(_ERRNO | errno.EPERM)],
        "mprotect": [_argument(2), (_IF_ANY_BIT, 1, 0, _PROT_EXEC), *_ending(_ALLOW), *_ending(_ERRNO | errno.EPERM)],
        # F_SETOWN and F_SETSIG would make the kernel send signals to others
        "fcntl": list(_one_of(1, _F_GETFD, _F_GETFL, _F_DUPFD_CLOEXEC)),
        "prctl": list(_one_of(0, _PR_SET_NAME)),
        "prlimit64": list(_one_of(0, _MYSELF)),
        "tgkill": list(_one_of(0, pid)),
    }


def _one_of(argument: int, *values: int) -> Iterator[_Instruction]:
    yield _argument(argument)
    for value in values:
        yield (_IF_EQUAL, 0, 1, value)
        yield from _ending(_ALLOW)
    yield from _ending(_ERRNO | errno.EPERM)


def _argument(index: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _ending(action: int) -> _Program:
    return [(_RETURN, 0, 0, action)]


def _on(number: int, decision: _Program) -> _Program:
    return [(_IF_EQUAL, 0, len(decision), number), *decision]
