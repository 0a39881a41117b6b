"""Memory that this process freed, given back to the system: glibc keeps it otherwise."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Return freed memory to the system, where its C library can.

    A backup or a long list of rows leaves holes in the heap; over hundreds of rounds they would add
    up to a daemon that grows with its database.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
