"""From a zygote's report to a verdict. Everything that a program wrote is looked at with distrust.

A program passes when its process said that it was walled in, then gave for every call a value that
satisfies it, then ended by itself within its limits. In split mode the tests' own process says so.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

from sandbox.codec import DecodeError, decode
from sandbox.compare import satisfies
from sandbox.jobs import Prepared
from sandbox.types import Call, Failure, Limits, Word
from sandbox.worker import wire

TEXT_MAX = 300


READY = wire.FRAME.pack(wire.READY, 0)
_NAMES = {int(number): number.name for number in signal.Signals}


class NotJudgedError(Exception):
    """The sandbox's own fault: the program is to be run again on a fresh zygote."""


Finding = tuple[Word, Failure | None]


def judge(report: wire.Report, parts: list[bytes], prepared: Prepared, limits: Limits) -> Finding:
    """Return the word and, unless it passed, what failed.

    Args:
        report: the zygote's header.
        parts: the candidate's frames and the tester's.
        prepared: the tests that were run.
        limits: what the program was allowed.

    Raises:
        NotJudgedError: a process never got as far as running anything.
    """
    if not parts[0].startswith(READY):
        raise NotJudgedError("a program's process could not be locked down")
    raw = parts[0][len(READY) :]
    if prepared.data:
        return judge_data(report, raw, prepared, limits)
    return _judge_split(report, list(frames_of(raw)), parts[1], limits)


def frames_of(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the whole frames at the start of ``raw``; what does not fit the form ends them."""
    at = 0
    while at + wire.FRAME.size <= len(raw):
        tag, size = wire.FRAME.unpack_from(raw, at)
        at += wire.FRAME.size
        if at + size > len(raw):
            return
        yield tag, raw[at : at + size]
        at += size


def judge_data(report: wire.Report, raw: bytes, prepared: Prepared, limits: Limits) -> Finding:
    """Return the finding in data mode from the frames that a candidate wrote."""
    calls = prepared.tests.calls
    if raw == prepared.passing and stopped(report, limits) is None:
        return (Word.PASSED, None)
    frames = list(frames_of(raw))
    for index, (tag, body) in enumerate(frames):
        if tag != wire.VALUE or index >= len(calls):
            break
        bad = wrong(body, prepared.expected[index], calls[index], index)
        if bad is not None:
            return bad
    complete = [tag for tag, _ in frames] == [wire.VALUE] * len(calls) + [wire.DONE]
    stop = stopped(report, limits)
    if stop is not None:
        return stop
    if complete:
        return (Word.PASSED, None)
    return raised(frames) or ended(report.status)


def wrong(body: bytes, expected: bytes | None, call: Call, index: int) -> Finding | None:
    """Tell what is wrong with a call's value; None when it satisfies the call."""
    if expected is not None and body == expected:
        return None
    try:
        value = decode(body)
    except DecodeError as error:
        return (Word.ERROR, Failure(index, "NotData", str(error)))
    if satisfies(value, call):
        return None
    return (Word.FAILED, Failure(index, "", f"gave {_short(value)}"))


def _short(value: Any) -> str:
    """Return a value's text, cut; numbers of very many digits by their size."""
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (str, bytes, bytearray)):
        return repr(value[:TEXT_MAX])[:TEXT_MAX]
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > 50:
        return f"a {type(value).__name__} of {len(value)}"
    try:
        return repr(value)[:TEXT_MAX]
    except ValueError:  # a long integer inside
        return f"a {type(value).__name__}"


def stopped(report: wire.Report, limits: Limits) -> Finding | None:
    """Tell what the zygote stopped the program for, or the kernel."""
    if report.why == wire.WALL:
        return (Word.TIMEOUT, Failure(type="WallTime", text=f"over {limits.wall_s:g} s"))
    if report.why == wire.CPU or report.cpu_s > limits.cpu_s:
        return (Word.TIMEOUT, Failure(type="CpuTime", text=f"over {limits.cpu_s:g} s"))
    if report.why == wire.RESULT_CAP:
        text = f"more than {limits.result_bytes} bytes"
        return (Word.ERROR, Failure(type="ResultTooLarge", text=text))
    return None


def raised(frames: list[tuple[bytes, bytes]]) -> Finding | None:
    """Return the exception that the last frame tells of."""
    if not frames or frames[-1][0] not in (wire.RAISED, wire.SYNTAX):
        return None
    tag, body = frames[-1]
    failure = _failure(body)
    if tag == wire.SYNTAX:
        return (Word.SYNTAX_ERROR, failure)
    if failure.type == "MemoryError":
        return (Word.OUT_OF_MEMORY, failure)
    return (Word.ERROR, failure)


def _failure(body: bytes) -> Failure:
    try:
        fields = decode(body)
    except DecodeError:
        fields = None
    if not (isinstance(fields, tuple) and len(fields) == 4):
        return Failure(type="Malformed", text="not a result")
    call, kind, text, line = fields
    return Failure(
        call=call if type(call) is int else None,
        type=kind[:80] if type(kind) is str else "",
        text=text[:TEXT_MAX] if type(text) is str else "",
        line=line if type(line) is int else None,
    )


def ended(status: int) -> Finding:
    """Return a process that ended without its result, by how it ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = _NAMES.get(number, str(number))
        word = Word.VIOLATION if number == signal.SIGSYS else Word.CRASHED
        return (word, Failure(type=name, text="killed by a signal"))
    return (Word.ERROR, Failure(type="NoResult", text="ended without a result"))


def _judge_split(
    report: wire.Report, frames: list[tuple[bytes, bytes]], tester: bytes, limits: Limits
) -> Finding:
    said = list(frames_of(tester))
    if said[:1] != [(wire.READY, b"")]:
        raise NotJudgedError("the tests' process could not be locked down")
    stop = stopped(report, limits)
    if stop is not None:
        return stop
    verdict = decode(said[1][1]) if [tag for tag, _ in said[1:]] == [wire.VERDICT] else ("none",)
    if verdict[0] == "passed" and report.tester_status == 0:
        return (Word.PASSED, None)
    if verdict[0] in ("failed", "error"):
        failure = Failure(None, *verdict[1:])
        if failure.type == "MemoryError":
            return (Word.OUT_OF_MEMORY, failure)
        return (Word.FAILED if verdict[0] == "failed" else Word.ERROR, failure)
    if verdict[0] == "gone":
        if os.WIFSIGNALED(report.status) and os.WTERMSIG(report.status) == signal.SIGKILL:
            return (Word.ERROR, Failure(type="NoResult", text="broke the line to the tests"))
        return raised(frames) or ended(report.status)
    return (Word.ERROR, Failure(type="NoVerdict", text="the tests ended without a verdict"))
