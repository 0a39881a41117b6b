"""A program run with a note of each line that it reaches, call by call.

Unlike a plain run this goes on after a call that raised: fault localisation wants to know of every
test whether it passed, and where it went. A line is written out when it is reached first, so that a
program that is stopped in an endless loop has told where the loop is.
"""

import marshal
import os
import sys
from types import CodeType, FrameType
from typing import Any

from sandbox import codec
from sandbox.worker import child, wire


class _Tracer:
    """Python's trace function; ``call`` is the number of the call that runs, -1 at import."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._all: dict[CodeType, frozenset[int]] = {}
        self.begin(-1)

    def begin(self, call: int) -> None:
        """Count from here on for this call."""
        self.call, self.seen = call, set[int]()

    def enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Follow the candidate's own functions, as long as they have lines not seen."""
        code = frame.f_code
        if code.co_filename != child.FILE:
            return None
        if code not in self._all:
            spans = list(code.co_lines())[1:]  # the first is the entry, which is no line's event
            self._all[code] = frozenset(line for _, _, line in spans if line)
        return None if self._all[code] <= self.seen else self.line

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Note a line."""
        line = frame.f_lineno
        if event == "line" and line not in self.seen:
            self.seen.add(line)
            body = wire.LINE_AT.pack(self.call, line)
            os.write(self._fd, wire.FRAME.pack(wire.LINE, len(body)) + body)
        return self.line


def run_traced(code: memoryview, inputs: memoryview, fd: int = child.RESULT_FD) -> None:
    """Do what :func:`child.run_data` does, with the lines of every call, and to the last call."""
    frames, tracer = child.Frames(fd), _Tracer(fd)
    try:
        entry_point, setup_code, calls = marshal.loads(inputs)
        sys.settrace(tracer.enter)
        names = child.load(str(code, "utf-8", "surrogatepass"), setup_code)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        sys.settrace(None)
        tag = wire.SYNTAX if child.is_syntax(error) else wire.RAISED
        frames.add(tag, child.describe(error, None))
        frames.flush()
        return
    for number, call in enumerate(calls):
        tracer.begin(number)
        try:
            sys.settrace(tracer.enter)
            value = child.outcome(names, entry_point, call)
            sys.settrace(None)
            frames.add(wire.VALUE, codec.encode(value))
        except BaseException as error:  # noqa: BLE001 - told, and on to the next call
            sys.settrace(None)
            frames.add(wire.RAISED, child.describe(error, number))
        frames.flush()
    frames.add(wire.DONE)
    frames.flush()
