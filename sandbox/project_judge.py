"""From the lines that a session reported, and how its process ended, to the word for a run."""

import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.project_run import REPORT_MAX, Ended
from sandbox.types import Word

TESTS_FAILED = 1
"""pytest's exit status when a test failed: always here, since the control test must fail."""

_MEMORY = re.compile(r"^(E +)?MemoryError", re.MULTILINE)

_STOPPED = {
    "wall time": Word.TIMEOUT,
    "CPU time": Word.TIMEOUT,
    "memory": Word.OUT_OF_MEMORY,
    "processes": Word.ERROR,
    "files": Word.ERROR,
    "report": Word.VIOLATION,
    "cancelled": Word.NOT_JUDGED,
}

_COLLECT: dict[str, type] = {"id": str, "text": str}
_TEST: dict[str, type] = {**_COLLECT, "when": str, "outcome": str, "expected": bool}
_FIELDS: dict[Any, dict[str, type]] = {
    "collect": _COLLECT,
    "test": _TEST,
    "part": _TEST,
    "end": {"status": int, "failures": int},
}

Event = dict[str, Any]
Judged = tuple[Word, Mapping[str, str], str]


class _Stray(Exception):
    """Something else than the plugin wrote to the report."""


def judge(ended: Ended, names: Sequence[str], control: str, token: str) -> Judged:
    """Return the word, the outcome of each named test, and the text of what went wrong."""
    nothing = dict.fromkeys(names, "missing")
    if ended.fault or ended.status is None:
        return Word.NOT_JUDGED, nothing, ended.fault
    try:
        events = _events(bytes(ended.report), token)
    except _Stray as error:
        return Word.VIOLATION, nothing, str(error)
    outcomes = {name: _outcome(name, events) for name in names}
    failed = [event for event in events if _is_failure(event)]
    mine = [event for event in failed if event["id"] != control]
    if ended.stopped:
        return _STOPPED[ended.stopped], outcomes, f"stopped: over its limit of {ended.stopped}"
    if os.WIFSIGNALED(ended.status):
        return _by_signal(os.WTERMSIG(ended.status), outcomes)
    status = os.waitstatus_to_exitcode(ended.status)
    ends = [event for event in events if event["kind"] == "end"]
    if len(ends) != 1 or [status, len(failed)] != [ends[0]["status"], ends[0]["failures"]]:
        return Word.ERROR, outcomes, _told(mine, f"ended with status {status}, untold or otherwise")
    controlled = _outcome(control, events)
    if status not in (0, TESTS_FAILED) or _vain(controlled, outcomes):
        return Word.ERROR, outcomes, _told(mine, f"the session ended with status {status}")
    if controlled != "failed":
        return Word.VIOLATION, outcomes, f"a test that must fail was reported as {controlled}"
    if status != TESTS_FAILED:
        return Word.ERROR, outcomes, "ended as if no test had failed, and one did"
    return _word(outcomes, mine)


def _vain(controlled: str, outcomes: Mapping[str, str]) -> bool:
    """Tell whether the control and the tests alike could not be run: no sign of a cheat."""
    return controlled not in ("passed", "failed") and "passed" not in outcomes.values()


def _by_signal(number: int, outcomes: Mapping[str, str]) -> Judged:
    words: dict[int, Word] = {signal.SIGSYS: Word.VIOLATION, signal.SIGXCPU: Word.TIMEOUT}
    return words.get(number, Word.CRASHED), outcomes, f"ended by signal {number}"


def _events(report: bytes, token: str) -> list[Event]:
    """Read the lines; the last one may be cut off."""
    if len(report) > REPORT_MAX:
        raise _Stray("the report is too long")
    events = []
    for line in report.split(b"\n")[:-1]:
        mark, _, text = line.partition(b" ")
        try:
            if mark != token.encode():
                raise ValueError("no token")
            events.append(_checked(json.loads(text)))
        except (ValueError, RecursionError):
            raise _Stray("something was written to the report's descriptor") from None
    return events


def _checked(event: Any) -> Event:
    """Return the event if it is of the plugin's form: whoever has the token may have made it."""
    kind = event.get("kind") if type(event) is dict else None
    fields = _FIELDS.get(kind) if type(kind) is str else None
    if fields is None or any(type(event.get(name)) is not each for name, each in fields.items()):
        raise ValueError("not of the plugin's form")
    return event  # type: ignore[no-any-return]


def _is_failure(event: Event) -> bool:
    """Tell what pytest counts as a failure."""
    if event["kind"] == "collect":
        return True
    return (
        event["kind"] in ("test", "part") and event["outcome"] == "failed" and not event["expected"]
    )


def _outcome(name: str, events: Sequence[Event]) -> str:
    """Return how a test went: "passed" only with each of its phases reported once, as passed."""
    phases = [event for event in events if event["kind"] == "test" and event["id"] == name]
    found = {event["when"]: event["outcome"] for event in phases}
    if len(found) < len(phases):
        return "missing"  # reported twice: whom to believe?
    if not found:
        broken = (event["id"] for event in events if event["kind"] == "collect")
        return "error" if any(name.startswith(f"{file}::") for file in broken) else "missing"
    # A test whose subtests failed may itself be reported as passed.
    parts = [event for event in events if event["kind"] == "part" and event["id"] == name]
    if found.get("call") == "failed" or any(_is_failure(event) for event in parts):
        return "failed"
    if "failed" in found.values():
        return "error"
    if "skipped" in found.values():
        return "skipped"
    return "passed" if list(found) == ["setup", "call", "teardown"] else "missing"


def _word(outcomes: Mapping[str, str], failed: Sequence[Event]) -> Judged:
    """Return the word for a session that went as a session should."""
    found = set(outcomes.values())
    if found == {"passed"}:
        return Word.PASSED, outcomes, ""
    first = next(name for name, outcome in outcomes.items() if outcome != "passed")
    told = _told(failed, f"{first}: {outcomes[first]}")
    if any(_MEMORY.search(event["text"]) for event in failed):
        return Word.OUT_OF_MEMORY, outcomes, told
    word = Word.FAILED if found & {"failed", "skipped"} else Word.ERROR
    return word, outcomes, told


def _told(failed: Sequence[Event], otherwise: str) -> str:
    """Return the first failure's name and text, or ``otherwise``."""
    for event in failed:
        return f"{event['id']}: {event['text']}"
    return otherwise
