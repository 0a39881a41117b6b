"""How a person asks a running process to stop: handlers that only set flags, and the flags."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType


class StopRequest:
    """SIGTERM or SIGINT asks to stop after the unit of work; a second one asks for it at once.

    As a context manager it installs the handlers and puts the old ones back. The loops look at the
    flags a few times a second. A pause asks for the same, and the process stays.
    """

    def __init__(self, paused: Callable[[], bool] = lambda: False) -> None:
        """``paused`` tells whether a pause is asked for at the moment."""
        self.paused = paused
        self._asked = 0
        self._before: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        """Stop after the unit of work in hand."""
        return self._asked >= 1

    @property
    def halting(self) -> bool:
        """Go no further than the unit of work in hand: a stop, or a pause."""
        return self.requested or self.paused()

    @property
    def now(self) -> bool:
        """Stop at once."""
        return self._asked >= 2

    def ask(self, *, now: bool = False) -> None:
        """What a signal does."""
        self._asked += 2 if now else 1

    def __enter__(self) -> "StopRequest":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1
