"""Learns what a reference solution returns on given inputs, by running it in the sandbox.

The + sets carry inputs but no outputs. The reference runs like any other program; what it returned
comes back as text on its standard output, one line a call, in the sandbox's own exact encoding.
That is no verdict and needs none of its guarantees: nobody has a reason to forge a reference.
"""

import inspect
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox import Call, Limits, Program, Sandbox, Tests, Verdict, codec

Inputs = list[tuple[Any, ...]]

LIMITS = Limits(
    cpu_s=120.0, wall_s=300.0, memory_mb=2048, output_bytes=64 * 2**20, result_bytes=2**20
)
_MARK = "@value "
_UNUSABLE = "-"

# Runs after the reference. Each call gets inputs of its own, so that none sees another's changes.
_RECORDER = """
def kent_record_values():
    import base64, sys
    sys.set_int_max_str_digits(0)
    codec = {{"__name__": "kent_codec"}}
    exec({codec!r}, codec)
    for packed in {inputs!r}:
        try:
            value = {name}(*codec["decode"](base64.b64decode(packed)))
            if {only_none}:
                value = value is not None
            text = base64.b64encode(codec["encode"](value)).decode()
        except Exception:
            text = {unusable!r}
        sys.stdout.write("\\n" + {mark!r} + text + "\\n")
    return "recorded"
"""


@dataclass(frozen=True)
class Job:
    """A reference solution and the inputs it is to be called with.

    ``only_none`` records whether a result is there at all (is not None), for results that are no
    plain data.
    """

    key: str
    code: str
    entry_point: str
    inputs: Inputs
    only_none: bool = False


@dataclass(frozen=True)
class Recorded:
    """(inputs, value) of the calls that returned plain data; how many did not; why all failed."""

    key: str
    pairs: list[tuple[tuple[Any, ...], Any]]
    dropped: int
    error: str = ""


def record(jobs: Iterable[Job]) -> Iterator[Recorded]:
    """Run the references; yields one result a job, as they finish."""
    waiting = {job.key: job for job in jobs}
    with Sandbox(limits=LIMITS) as sandbox:
        for verdict in sandbox.run_many([_program(job) for job in waiting.values()]):
            yield _read(waiting[verdict.key], verdict)


def _program(job: Job) -> Program:
    recorder = _RECORDER.format(
        codec=inspect.getsource(codec),
        inputs=[b64encode(codec.encode(arguments)) for arguments in job.inputs],
        name=job.entry_point,
        only_none=job.only_none,
        unusable=_UNUSABLE,
        mark=_MARK,
    )
    tests = Tests(
        mode="data", entry_point="kent_record_values", calls=(Call(args=(), expected="recorded"),)
    )
    return Program(key=job.key, code=job.code + "\n" + recorder, tests=tests)


def _read(job: Job, verdict: Verdict) -> Recorded:
    if not verdict.passed:
        text = verdict.failure.text if verdict.failure else ""
        return Recorded(job.key, [], len(job.inputs), f"{verdict.word} {text}".strip())
    output = verdict.output_head + verdict.output_tail
    values = [line.removeprefix(_MARK) for line in output.split("\n") if line.startswith(_MARK)]
    if len(values) != len(job.inputs):
        return Recorded(job.key, [], len(job.inputs), "its output was cut")
    pairs = [
        (arguments, codec.decode(b64decode(value)))
        for arguments, value in zip(job.inputs, values, strict=True)
        if value != _UNUSABLE
    ]
    return Recorded(job.key, pairs, len(job.inputs) - len(pairs))
