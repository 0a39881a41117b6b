"""The few Linux calls that Python's standard library does not have.

The zygote makes them by its C extension where it has one (:func:`use`). Else they go through
ctypes, which is large: every program's fork pays for it.
"""

import errno
import os
import struct
from typing import Any

from sandbox.worker.syscalls import numbers

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPS_VERSION = 0x20080522
_NUMBERS = numbers()
_maker: list[Any] = []


def use(maker: Any) -> None:
    """Make calls by ``maker`` from here on: it has ``syscall`` and ``seccomp``."""
    _maker[:] = [maker]


def _by() -> Any:
    if not _maker:
        from sandbox.worker import linux_ctypes

        use(linux_ctypes)
    return _maker[0]


def call(name: str, *arguments: int | bytes) -> int:
    """Make the system call ``name``; bytes are passed by their address.

    Raises:
        OSError: as the kernel says; also when this machine's table has no such call.
    """
    if name not in _NUMBERS:
        raise OSError(errno.ENOSYS, f"no number known for {name} on this machine")
    try:
        return int(_by().syscall(_NUMBERS[name], *arguments))
    except OSError as error:
        raise OSError(error.errno, f"{name}: {os.strerror(error.errno or 0)}") from None


def prctl(option: int, *arguments: int) -> int:
    """``prctl`` with integer arguments."""
    return call("prctl", option, *(tuple(arguments) + (0,) * (4 - len(arguments))))


def seccomp(code: bytes | bytearray) -> None:
    """Put a filter, as the kernel reads it, on this thread and what it forks.

    Needs no_new_privs.
    """
    _by().seccomp(code)


def drop_capabilities() -> None:
    """Give up every capability of this process, for good together with no_new_privs."""
    call("capset", struct.pack("=Ii", _CAPS_VERSION, 0), bytes(24))
