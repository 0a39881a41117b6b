"""Several programs in one process: those that can touch nothing but their own; see purity.py.

Each is compiled, looked at, and only then run. One that the rule does not admit, or that ends in
any way that the others could feel (memory, recursion, time), is left for a process of its own. Its
arguments are made anew for every call, and it gets names of its own.
"""

import marshal
import os
import sys
import time
from types import CodeType, ModuleType
from typing import Any

from sandbox import codec
from sandbox.worker import child, wire
from sandbox.worker.purity import pure

SHARE_S = 0.05
"""CPU seconds after which the programs that are left are given back: a few are long."""

SHARE_BYTES = 1 << 20
_FELT = (MemoryError, RecursionError)


def run_shared(inputs: memoryview, fd: int = child.RESULT_FD, *, observe: bool = False) -> None:
    """Run programs one after another; write one ``PROGRAM`` frame for each that was come to.

    ``observe``: a call that raises does not end its program.
    """
    begun = time.process_time()
    for source, tests in marshal.loads(inputs):
        body = _body(source, tests, observe)
        sys.modules.pop(child.NAME, None)
        os.write(fd, wire.FRAME.pack(wire.PROGRAM, len(body)) + body)
        if time.process_time() - begun > SHARE_S:
            return


def _body(source: bytes, tests: bytes, observe: bool) -> bytes:
    """Run one program: what it took and its frames, or nothing where it may not be here."""
    cpu, wall = time.process_time(), time.monotonic()
    try:
        frames = _frames(str(source, "utf-8", "surrogatepass"), marshal.loads(tests), observe)
    except _FELT:
        return b""
    if not frames or len(frames) > SHARE_BYTES:
        return b""
    return wire.SPENT.pack(time.process_time() - cpu, time.monotonic() - wall) + frames


def _frames(source: str, tests: Any, observe: bool) -> bytes:
    entry_point, _, calls = tests
    try:
        code = compile(source, child.FILE, "exec", dont_inherit=True)
    except _FELT:
        raise
    except Exception as error:  # noqa: BLE001 - the compiler's word on the source
        return _frame(wire.SYNTAX, child.describe(error, None))
    if not pure(code):
        return b""
    return _observe(code, entry_point, calls) if observe else _run(code, entry_point, calls)


def _run(code: CodeType, entry_point: str, calls: Any) -> bytes:
    module = sys.modules[child.NAME] = ModuleType(child.NAME)
    pieces: list[bytes] = []
    call: int | None = None
    try:
        exec(code, vars(module))
        for call, each in enumerate(calls):  # noqa: B007 - told on error
            value = child.outcome(vars(module), entry_point, each)
            pieces.append(_frame(wire.VALUE, codec.encode(value)))
        pieces.append(_frame(wire.DONE, b""))
    except _FELT:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        pieces.append(_frame(wire.RAISED, child.describe(error, call)))
    return b"".join(pieces)


def _observe(code: CodeType, entry_point: str, calls: Any) -> bytes:
    """Do what :func:`_run` does, to the last call."""
    module = sys.modules[child.NAME] = ModuleType(child.NAME)
    try:
        exec(code, vars(module))
    except _FELT:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        return _frame(wire.RAISED, child.describe(error, None))
    pieces: list[bytes] = []
    for number, each in enumerate(calls):
        try:
            value = child.outcome(vars(module), entry_point, each)
            pieces.append(_frame(wire.VALUE, codec.encode(value)))
        except _FELT:
            raise
        except BaseException as error:  # noqa: BLE001 - told, and on to the next call
            pieces.append(_frame(wire.RAISED, child.describe(error, number)))
    return b"".join([*pieces, _frame(wire.DONE, b"")])


def _frame(tag: bytes, body: bytes) -> bytes:
    return wire.FRAME.pack(tag, len(body)) + body
