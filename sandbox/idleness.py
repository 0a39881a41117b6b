"""How idle the machine is: whether one more program at a time would do any good."""

import os
import time
from pathlib import Path

LOOK_S = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = 4  # field of the first line of /proc/stat, in ticks over all cores


class Idleness:
    """Looks at the machine's idle time, at most every ``LOOK_S`` seconds."""

    def __init__(self) -> None:
        self._at, self._ticks = time.monotonic(), _idle_ticks()
        self._cores = 0.0

    def cores(self) -> float:
        """Return how many cores had nothing to do of late; 0 before the first ``LOOK_S``."""
        now = time.monotonic()
        if now - self._at >= LOOK_S:
            ticks = _idle_ticks()
            self._cores = (ticks - self._ticks) / _TICKS / (now - self._at)
            self._at, self._ticks = now, ticks
        return self._cores


def _idle_ticks() -> int:
    with Path("/proc/stat").open(encoding="ascii") as lines:
        return int(lines.readline().split()[_IDLE])
