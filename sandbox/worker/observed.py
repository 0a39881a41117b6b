"""A program run for what each of its calls gives: it goes on after one that raised.

What a call gave is written out before the next begins, so that a program that is stopped in an
endless loop has told of the calls before it.
"""

import marshal

from sandbox import codec
from sandbox.worker import child, wire


def run_observed(code: memoryview, inputs: memoryview, fd: int = child.RESULT_FD) -> None:
    """Do what :func:`child.run_data` does, to the last call."""
    frames = child.Frames(fd)
    try:
        entry_point, setup_code, calls = marshal.loads(inputs)
        names = child.load(str(code, "utf-8", "surrogatepass"), setup_code)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        tag = wire.SYNTAX if child.is_syntax(error) else wire.RAISED
        frames.add(tag, child.describe(error, None))
        frames.flush()
        return
    for number, call in enumerate(calls):
        try:
            frames.add(wire.VALUE, codec.encode(child.outcome(names, entry_point, call)))
        except BaseException as error:  # noqa: BLE001 - told, and on to the next call
            frames.add(wire.RAISED, child.describe(error, number))
        frames.flush()
    frames.add(wire.DONE)
    frames.flush()
