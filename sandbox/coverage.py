"""From a traced program's frames to its verdict, and to how each call went and where."""

from sandbox.jobs import Prepared
from sandbox.judge import READY, Finding, NotJudgedError, ended, frames_of, raised, stopped, wrong
from sandbox.types import CallTrace, Limits, Word
from sandbox.worker import wire

_IMPORT = -1
_Frame = tuple[bytes, bytes]


def judge_traced(
    report: wire.Report, raw: bytes, prepared: Prepared, limits: Limits
) -> tuple[Finding, tuple[CallTrace, ...]]:
    """Return the finding, which is that of the first call that went wrong, and every call's trace.

    Raises:
        NotJudgedError: the process never got as far as running anything.
    """
    if not raw.startswith(READY):
        raise NotJudgedError("a program's process could not be locked down")
    frames = list(frames_of(raw[len(READY) :]))
    lines = _lines(frames)
    ends = [frame for frame in frames if frame[0] != wire.LINE]
    end = _end(report, ends, len(prepared.tests.calls), limits)
    if end is not None and _at_import(ends, lines):
        return end, (CallTrace(None, end[0], frozenset(lines[_IMPORT])),)
    calls = [frame for frame in ends if frame[0] in (wire.VALUE, wire.RAISED)]
    calls = calls[: len(prepared.tests.calls)]
    findings = [_finding(frame, prepared, index) for index, frame in enumerate(calls)]
    findings += [end] if end is not None else []
    trace = [CallTrace(None, Word.PASSED, frozenset(lines[_IMPORT]))]
    for call, (word, _) in enumerate(findings):
        trace.append(CallTrace(call, word, frozenset(lines.get(call, ()))))
    bad = (finding for finding in findings if finding[0] is not Word.PASSED)
    return next(bad, (Word.PASSED, None)), tuple(trace)


def _lines(frames: list[_Frame]) -> dict[int, set[int]]:
    """Return the lines reached by call."""
    reached: dict[int, set[int]] = {_IMPORT: set()}
    for tag, body in frames:
        if tag == wire.LINE and len(body) == wire.LINE_AT.size:
            call, line = wire.LINE_AT.unpack(body)
            reached.setdefault(call, set()).add(line)
    return reached


def _end(report: wire.Report, ends: list[_Frame], count: int, limits: Limits) -> Finding | None:
    """Return what ended the program before its last call was through; None: nothing did."""
    stop = stopped(report, limits)
    if stop is None and ends[-1:] == [(wire.DONE, b"")] and len(ends) == count + 1:
        return None
    return stop or raised(ends) or ended(report.status)


def _at_import(ends: list[_Frame], lines: dict[int, set[int]]) -> bool:
    """Tell whether the program ended before its first call."""
    if not ends:
        return len(lines) == 1
    told = raised(ends[:1])
    return told is not None and told[1] is not None and told[1].call is None


def _finding(frame: _Frame, prepared: Prepared, index: int) -> Finding:
    tag, body = frame
    if tag == wire.RAISED:
        return raised([frame]) or (Word.ERROR, None)
    found = wrong(body, prepared.expected[index], prepared.tests.calls[index], index)
    return found or (Word.PASSED, None)
