"""From an observed program's frames to what each of its calls gave. No verdict comes out of here.

A program that writes frames of its own can only misreport what it gave itself, which it could as
well have given; frames that do not fit the form void all of its calls.
"""

from sandbox.codec import DecodeError
from sandbox.digest import body_digest
from sandbox.jobs import Prepared
from sandbox.judge import READY, Finding, NotJudgedError, ended, frames_of, raised, stopped
from sandbox.types import Failure, Limits, Observed, Word
from sandbox.worker import wire

_Frame = tuple[bytes, bytes]
Observation = tuple[Finding, tuple[Observed, ...]]


def judge_observed_alone(
    report: wire.Report, raw: bytes, prepared: Prepared, limits: Limits
) -> Observation:
    """Return what :func:`judge_observed` does, for a program that had a process of its own.

    Raises:
        NotJudgedError: the process never got as far as running anything.
    """
    if not raw.startswith(READY):
        raise NotJudgedError("a program's process could not be locked down")
    return judge_observed(report, raw[len(READY) :], prepared, limits)


def judge_observed(
    report: wire.Report, raw: bytes, prepared: Prepared, limits: Limits
) -> Observation:
    """Return how the run ended, and one :class:`Observed` for each call.

    The word is ``observed`` where the last call was come to, whatever the calls gave; calls that
    were not come to have the word and type of what ended the run.
    """
    frames, count = list(frames_of(raw)), len(prepared.tests.calls)
    stop = stopped(report, limits)
    if frames[-1:] == [(wire.DONE, b"")] and len(frames) == count + 1:
        end: Finding = stop or (Word.OBSERVED, None)
        frames = frames[:-1]
    elif len(frames) == 1 and (found := _at_import(frames)) is not None:
        end, frames = stop or found, []
    else:
        end = stop or ended(report.status)
    if not _fit(frames, count):
        end, frames = (Word.ERROR, Failure(type="Malformed", text="not a result")), []
    calls = [_observed(frame, call) for call, frame in enumerate(frames)]
    kind = end[1].type if end[1] is not None else ""
    calls += [Observed(call, end[0], type=kind) for call in range(len(calls), count)]
    return end, tuple(calls)


def _at_import(frames: list[_Frame]) -> Finding | None:
    """Return what a program that never came to a call told; None: it came to one."""
    told = raised(frames)
    return told if told is not None and told[1] is not None and told[1].call is None else None


def _fit(frames: list[_Frame], count: int) -> bool:
    """Tell whether the frames are those of the first calls, in order."""
    for call, (tag, body) in enumerate(frames):
        told = raised([(tag, body)]) if tag == wire.RAISED else None
        in_order = told is not None and told[1] is not None and told[1].call == call
        if tag != wire.VALUE and not in_order:
            return False
    return len(frames) <= count


def _observed(frame: _Frame, call: int) -> Observed:
    tag, body = frame
    if tag == wire.RAISED:
        word, failure = raised([frame]) or (Word.ERROR, None)
        return Observed(call, word, type=failure.type if failure is not None else "")
    try:
        return Observed(call, Word.PASSED, body_digest(body))
    except DecodeError:
        return Observed(call, Word.ERROR, type="NotData")
