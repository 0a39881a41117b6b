"""The few Linux calls that Python's standard library does not have, through ctypes."""

import ctypes
import os
from typing import Any

from sandbox.worker.syscalls import numbers

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NUMBERS = numbers()


def call(name: str, *arguments: Any) -> int:
    """Make the system call ``name``.

    Raises:
        OSError: as the kernel says; also when this machine's table has no such call.
    """
    if name not in _NUMBERS:
        raise OSError(38, f"no number known for {name} on this machine")
    long = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(_NUMBERS[name]), *long))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """``prctl`` with integer arguments."""
    return call("prctl", option, *(tuple(arguments) + (0,) * (4 - len(arguments))))


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapSets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_NO_CAPS = (_CapSets * 2)()
_CAP_HEADER = _CapHeader(0x20080522, 0)


def drop_capabilities() -> None:
    """Give up every capability of this process, for good together with no_new_privs."""
    call("capset", ctypes.byref(_CAP_HEADER), ctypes.byref(_NO_CAPS))
