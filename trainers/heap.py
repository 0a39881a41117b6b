"""The process's heap: what stays is spared by the collector, what was freed goes back."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Return freed memory to the system, where its C library can.

    A backup or a long list of rows leaves holes in the heap; over hundreds of rounds they would add
    up to a daemon that grows with its database.
    """
    gc.unfreeze()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def set_apart() -> None:
    """Spare all that is alive from the collector: it is taken to stay as long as the work goes on.

    A search makes and drops syntax trees by the thousand, and each full collection would walk
    through all that was loaded before: measured, half of the time of a solve.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
