"""System call filters: one for the zygote with all that is ever allowed, one for each program.

The zygote's is an allow-list and is inherited. The program's takes away what only the zygote
needs: making processes, changing limits, signalling others. Calls under a foreign architecture or
the x32 numbers kill. Both are classic BPF, made from tables by name.
"""

import os
import struct

from sandbox.worker import linux
from sandbox.worker.syscalls import AUDIT_ARCH, numbers

ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat openat2 close
close_range stat fstat lstat newfstatat statx lseek access faccessat faccessat2 readlink readlinkat
getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat
renameat2 link linkat symlink symlinkat truncate ftruncate fallocate umask dup dup2 dup3 pipe pipe2
fcntl fsync fdatasync statfs fstatfs copy_file_range sendfile splice tee fadvise64 readahead poll
ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4 sendto recvfrom
sendmsg recvmsg shutdown getsockname getpeername getsockopt setsockopt mmap munmap mprotect mremap
madvise brk mincore msync membarrier rseq exit exit_group getpid gettid getppid getuid geteuid
getgid getegid getgroups getresuid getresgid getpgrp getpgid getsid rt_sigaction rt_sigprocmask
rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm setitimer getitimer
timer_create timer_settime timer_gettime timer_delete timer_getoverrun nanosleep clock_nanosleep
clock_gettime clock_getres gettimeofday time times getrusage sched_yield sched_getaffinity
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority getcpu
sysinfo uname getrandom arch_prctl set_tid_address set_robust_list get_robust_list futex futex_waitv
getrlimit restart_syscall wait4 waitid capget
"""

ZYGOTE_ONLY = """
fork vfork unshare setns setsid setpgid capset seccomp pidfd_open pidfd_send_signal setrlimit
"""

# What Landlock does not look at: these change files by their owner's right alone. They are allowed
# only where a program sees no file but those in its own /tmp and a read-only library.
OWNERS = "chmod fchmod fchmodat utime utimes utimensat futimesat"

# Of these the arguments decide in the program's filter.
INSPECTED = "clone prctl prlimit64 kill tgkill tkill ioctl socketpair"

IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # is it a terminal, size, FIO...
PRCTLS = (3, 15, 16, 21, 27, 39)  # reads, and the thread's name
CLONE_THREAD = 0x00010000
CLONE_NEW = 0x7E020080  # every namespace flag
AF_UNIX = 1

_LD, _JEQ, _JSET, _JGE, _RET = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050001, 0x00050026
_NR, _ARCH, _ARGS = 0, 4, 16

Instruction = tuple[int, int, int, int]
_INSTRUCTION = struct.Struct("=HBBI")  # code, jump if true, jump if false, operand


def _head(machine: str) -> list[Instruction]:
    """Kill calls of another architecture, and x32's numbers; leave the number loaded."""
    code = [(_LD, 0, 0, _ARCH), (_JEQ, 1, 0, AUDIT_ARCH[machine]), (_RET, 0, 0, _KILL)]
    code.append((_LD, 0, 0, _NR))
    if machine == "x86_64":
        code += [(_JGE, 0, 1, 0x40000000), (_RET, 0, 0, _KILL)]
    return code


def _rule(number: int, body: list[Instruction]) -> list[Instruction]:
    """``body`` for calls of this number; ``body`` must return."""
    return [(_JEQ, 0, len(body), number), *body]


def _low(argument: int) -> Instruction:
    return (_LD, 0, 0, _ARGS + 8 * argument)


def _high(argument: int) -> Instruction:
    return (_LD, 0, 0, _ARGS + 8 * argument + 4)


def _one_of(argument: int, values: tuple[int, ...]) -> list[Instruction]:
    code = [_low(argument)]
    for value in values:
        code += [(_JEQ, 0, 1, value), (_RET, 0, 0, _ALLOW)]
    return [*code, (_RET, 0, 0, _EPERM)]


def _threads_only() -> list[Instruction]:
    return [
        _low(0),
        (_JSET, 0, 1, CLONE_NEW),
        (_RET, 0, 0, _EPERM),
        (_JSET, 1, 0, CLONE_THREAD),
        (_RET, 0, 0, _EPERM),
        (_RET, 0, 0, _ALLOW),
    ]


def _read_own_limits() -> list[Instruction]:
    refuse = (_RET, 0, 0, _EPERM)
    code: list[Instruction] = []
    for load in (_low(0), _low(2), _high(2)):
        code += [load, (_JEQ, 1, 0, 0), refuse]
    return [*code, (_RET, 0, 0, _ALLOW)]


def zygote_filter(
    machine: str, table: dict[str, int], *, own_files: bool = True
) -> list[Instruction]:
    """Everything that the zygote or a program may ever call; the rest is EPERM.

    ``own_files``: whether every file that can be changed is the program's own.
    """
    code = _head(machine)
    names = f"{ALLOWED} {ZYGOTE_ONLY} {INSPECTED} {OWNERS if own_files else ''}"
    for name in names.split():
        if name in table:
            code += _rule(table[name], [(_RET, 0, 0, _ALLOW)])
    code += _rule(
        table["clone3"], [(_RET, 0, 0, _ENOSYS)]
    )  # its flags are out of sight: libc falls back
    return [*code, (_RET, 0, 0, _EPERM)]


def program_filter(machine: str, table: dict[str, int], pid: int) -> list[Instruction]:
    """Tell what a program may no longer do, ``pid`` being its own as it sees it."""
    code = _head(machine)
    bodies = {
        "clone": _threads_only(),
        "prctl": _one_of(0, PRCTLS),
        "prlimit64": _read_own_limits(),
        "ioctl": _one_of(1, IOCTLS),
        "socketpair": _one_of(0, (AF_UNIX,)),
    }
    bodies |= {name: _one_of(0, (pid,)) for name in ("kill", "tgkill", "tkill")}
    for name, body in bodies.items():
        code += _rule(table[name], body)
    for name in ZYGOTE_ONLY.split():
        if name in table:
            code += _rule(table[name], [(_RET, 0, 0, _EPERM)])
    return [*code, (_RET, 0, 0, _ALLOW)]


def packed(code: list[Instruction]) -> bytearray:
    """Return the filter as the kernel reads it."""
    return bytearray(b"".join(_INSTRUCTION.pack(*instruction) for instruction in code))


class ProgramFilter:
    """The program's filter, made once; only the program's pid is put in for each.

    ``code`` and ``places`` are the same for the C extension: the instructions, and the indexes of
    those that take the pid.
    """

    def __init__(self) -> None:
        mark = 0x7ABCDEF1
        code = program_filter(os.uname().machine, numbers(), mark)
        self._places = [i for i, instruction in enumerate(code) if instruction[3] == mark]
        self.code = packed(code)
        self.places = struct.pack(f"={len(self._places)}H", *self._places)

    def install(self, pid: int) -> None:
        """Install it for the calling process, whose pid is ``pid``."""
        for place in self._places:
            struct.pack_into("=I", self.code, _INSTRUCTION.size * place + 4, pid)
        linux.seccomp(self.code)


def install_for_zygote(*, own_files: bool) -> None:
    """Put the allow-list on the zygote."""
    code = zygote_filter(os.uname().machine, numbers(), own_files=own_files)
    linux.seccomp(packed(code))
