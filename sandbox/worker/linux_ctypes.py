"""System calls through ctypes, where the C extension is not at hand."""

import ctypes
import os

from sandbox.worker.syscalls import numbers

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_SECCOMP_SET_MODE_FILTER = 1
_INSTRUCTION = 8  # bytes


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.c_void_p))


def syscall(number: int, *arguments: int | bytes) -> int:
    """Make a system call by number; bytes are passed by their address.

    Raises:
        OSError: as the kernel says.
    """
    result = int(_libc.syscall(ctypes.c_long(number), *(_argument(each) for each in arguments)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _argument(value: int | bytes) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value)


def seccomp(code: bytes | bytearray) -> None:
    """Install a filter; see :func:`sandbox.worker.linux.seccomp`."""
    text = (ctypes.c_char * len(code)).from_buffer_copy(code)
    program = _Program(len(code) // _INSTRUCTION, ctypes.addressof(text))
    address = ctypes.addressof(program)
    syscall(numbers()["seccomp"], _SECCOMP_SET_MODE_FILTER, 0, address)
