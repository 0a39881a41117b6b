"""Learns what a reference solution returns on given inputs, by running it in the sandbox.

The + sets carry inputs but no outputs. The reference runs like any other program; what it returned
comes back on its standard output, packed, in the sandbox's own exact encoding, as much as the
output may hold; the next run goes on from there. That is no verdict and needs none of its
guarantees: nobody has a reason to forge a reference.
"""

import inspect
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox import Call, Limits, Program, Sandbox, Tests, Verdict, codec

Arguments = tuple[Any, ...]

LIMITS = Limits(cpu_s=120.0, wall_s=900.0, memory_mb=2048)
_MARK = "@values "
# Packed bytes a run may give: in base64 they fit into the 16 KiB that the sandbox keeps.
_ROOM = 11_000
_SIZE = struct.Struct("<I")
# Shorter than any encoding: the call raised, took long, or gave no plain data or too much of it.
_NOTHING = b""

# A call's CPU seconds and result in bytes: a candidate has some 4 s and 4 MiB for all of them.
SLOW_S = 0.2
_LARGE = 65_536

# Runs after the reference. Each call gets inputs of its own, so that none sees another's changes.
_RECORDER = """
def kent_record_values():
    import base64, contextlib, io, signal, struct, sys, zlib
    sys.set_int_max_str_digits(0)
    codec = {{"__name__": "kent_codec"}}
    exec({codec!r}, codec)

    class Slow(BaseException):
        pass

    def give_up(*_):
        raise Slow

    signal.signal(signal.SIGVTALRM, give_up)

    def call(packed):
        arguments = codec["decode"](base64.b64decode(packed))
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, {slow})
            with contextlib.redirect_stdout(io.StringIO()):
                value = {name}(*arguments)
            encoded = codec["encode"]({what})
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except (Exception, Slow):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            return {nothing!r}
        return {nothing!r} if len(encoded) > {large} else encoded

    def packed_by(packer, encoded):
        piece = packer.compress(struct.pack("<I", len(encoded)) + encoded)
        return piece + packer.flush(zlib.Z_SYNC_FLUSH)

    packer, pieces, size = zlib.compressobj(9), [], 0
    for packed in {inputs!r}:
        encoded = call(packed)
        if len(packed_by(packer.copy(), encoded)) > {room}:
            encoded = {nothing!r}
        piece = packed_by(packer, encoded)
        size += len(piece)
        if size > {room}:
            break
        pieces.append(piece)
    print({mark!r} + base64.b64encode(b"".join(pieces)).decode())
    return "recorded"
"""


@dataclass(frozen=True)
class Job:
    """A reference solution and the inputs it is to be called with.

    ``only_none`` records whether a result is there at all (is not None), for results that are no
    plain data. ``slow_s``: a call that takes more CPU seconds gives nothing.
    """

    key: str
    code: str
    entry_point: str
    inputs: list[Arguments]
    only_none: bool = False
    slow_s: float = SLOW_S


@dataclass
class Recorded:
    """(arguments, value) of the calls that can be used, how many can not, what stopped it."""

    key: str
    pairs: list[tuple[Arguments, Any]]
    dropped: int = 0
    error: str = ""


def record(jobs: Iterable[Job]) -> Iterator[Recorded]:
    """Run the references; yields one result a job, as they finish."""
    waiting = {job.key: job for job in jobs}
    found = {key: Recorded(key, []) for key in waiting}
    with Sandbox(limits=LIMITS) as sandbox:
        while waiting:
            programs = [_program(job, _seen(found[key])) for key, job in waiting.items()]
            for verdict in sandbox.run_many(programs):
                job, so_far = waiting[verdict.key], found[verdict.key]
                _take(job, so_far, verdict)
                if so_far.error or _seen(so_far) == len(job.inputs):
                    yield so_far
                    del waiting[job.key]


def _seen(found: Recorded) -> int:
    return len(found.pairs) + found.dropped


def _program(job: Job, start: int) -> Program:
    recorder = _RECORDER.format(
        codec=inspect.getsource(codec),
        inputs=[b64encode(codec.encode(arguments)) for arguments in job.inputs[start:]],
        name=job.entry_point,
        what="value is not None" if job.only_none else "value",
        nothing=_NOTHING,
        room=_ROOM,
        slow=job.slow_s,
        large=_LARGE,
        mark=_MARK,
    )
    tests = Tests(
        mode="data", entry_point="kent_record_values", calls=(Call(args=(), expected="recorded"),)
    )
    return Program(key=job.key, code=job.code + "\n" + recorder, tests=tests)


def _take(job: Job, found: Recorded, verdict: Verdict) -> None:
    """Add what one run gave."""
    line = (verdict.output_head + verdict.output_tail).rpartition(_MARK)[2].strip()
    if not verdict.passed:
        text = verdict.failure.text if verdict.failure else ""
        found.error = f"its reference ends in {verdict.word} {text}".strip()
        return
    for encoded in _unpacked(b64decode(line)):
        if encoded == _NOTHING:
            found.dropped += 1
        else:
            found.pairs.append((job.inputs[_seen(found)], codec.decode(encoded)))


def _unpacked(packed: bytes) -> list[bytes]:
    data = zlib.decompressobj().decompress(packed)
    values, at = [], 0
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size + size
        values.append(data[at - size : at])
    return values
