"""Programs as the bytes that a zygote takes; what is expected stays here."""

import marshal
from dataclasses import replace
from typing import Any

from sandbox import codec
from sandbox.types import VIA, Call, Limits, Program, Tests
from sandbox.worker import wire

_MARSHAL = 2  # the version without references: every argument is built anew for every call
_MARSHALLED = (bool, int, float, complex, str, bytes, type(None))


class Prepared:
    """Tests made ready once: the bytes that go in, and what each call's bytes should be.

    To ``observe``, only ``via`` is applied to a result: how it would be compared is not looked at.
    """

    def __init__(self, tests: Tests, *, observe: bool = False) -> None:
        self.tests, self.observe = tests, observe
        self.data = tests.mode == "data"
        self.shareable = self.data and not tests.setup_code
        if self.data:
            seen = [replace(call, compare="eq") if observe else call for call in tests.calls]
            calls = [(call.function, _packed(call), views(call)) for call in seen]
            self.payload = marshal.dumps((tests.entry_point, tests.setup_code, calls), _MARSHAL)
            self.expected = [None if observe else _expected(call) for call in tests.calls]
            self.passing = _passing(self.expected)
        else:
            parts = (tests.entry_point, tests.setup_code, tests.test_code)
            self.payload = marshal.dumps(parts, _MARSHAL)


class Preparer:
    """Prepares tests, and remembers the last ones: candidates of one problem come together."""

    def __init__(self, keep: int = 256) -> None:
        self._keep = keep
        self._known: dict[tuple[int, bool], Prepared] = {}

    def prepared(self, tests: Tests, *, observe: bool = False) -> Prepared:
        """Return the prepared form of ``tests``."""
        known = self._known.get((id(tests), observe))
        if known is not None and known.tests is tests:
            return known
        if len(self._known) >= self._keep:
            self._known.pop(next(iter(self._known)))
        known = self._known[id(tests), observe] = Prepared(tests, observe=observe)
        return known


def views(call: Call) -> tuple[str, ...]:
    """Tell what the harness beside the candidate applies to its result before encoding it."""
    if call.via and call.via not in VIA:
        raise ValueError(f"via must be one of {', '.join(VIA)}, not {call.via!r}")
    first = (call.via,) if call.via else ()
    last = {"truthy": ("bool",), "falsy": ("bool",), "set_eq": ("set",)}.get(call.compare, ())
    return first + last


def _packed(call: Call) -> bytes:
    arguments = (call.args, call.kwargs)
    if _marshals(arguments):
        return b"m" + marshal.dumps(arguments, _MARSHAL)
    return b"c" + codec.encode(arguments, stable=True)


def _marshals(value: Any, depth: int = 0) -> bool:
    """Whether marshal gives back exactly this: not so a bytearray, nor the order of a set."""
    kind = type(value)
    if kind in _MARSHALLED:
        return True
    if depth > codec.MAX_DEPTH:
        return False
    if kind in (tuple, list):
        return all(_marshals(item, depth + 1) for item in value)
    if kind is dict:
        return all(_marshals(k, depth + 1) and _marshals(v, depth + 1) for k, v in value.items())
    return False


def _expected(call: Call) -> bytes | None:
    """Return the bytes of a value that surely satisfies the call; None where only a look can tell.

    A value that does not equal itself (NaN) has none: equal bytes would not mean equal values.
    """
    if call.compare not in ("eq", "is"):
        return None
    encoded = codec.encode(call.expected)
    return encoded if codec.decode(encoded) == codec.decode(encoded) else None


def _passing(expected: list[bytes | None]) -> bytes | None:
    """Return the frames of a candidate that surely passes; None where only a look can tell."""
    pieces: list[bytes] = []
    for body in expected:
        if body is None:
            return None
        pieces += (wire.FRAME.pack(wire.VALUE, len(body)), body)
    return b"".join([*pieces, wire.FRAME.pack(wire.DONE, 0)])


def job(program: Program, prepared: Prepared, limits: Limits) -> list[bytes]:
    """Return the pieces to write to a zygote."""
    code = _encoded(program)
    if prepared.data:
        kind = wire.TRACED if program.trace else wire.DATA
        kind = wire.OBSERVED if program.observe else kind
        header = _header(kind, limits, len(code), len(prepared.payload), 0)
    else:
        header = _header(wire.SPLIT, limits, len(code), 0, len(prepared.payload))
    return [header, code, prepared.payload]


def shared_job(programs: list[tuple[Program, Prepared]], limits: Limits) -> list[bytes]:
    """Return the pieces of a job whose programs may share a process; all are observed or none."""
    pairs = [(_encoded(program), prepared.payload) for program, prepared in programs]
    inputs = marshal.dumps(pairs, _MARSHAL)
    kind = wire.SHARED_OBSERVED if programs[0][0].observe else wire.SHARED
    return [_header(kind, limits, 0, len(inputs), 0), inputs]


def _encoded(program: Program) -> bytes:
    return program.code.encode("utf-8", "surrogatepass")


def _header(kind: int, limits: Limits, code: int, inputs: int, tester: int) -> bytes:
    """Return a job's header; the last three are sizes in bytes."""
    return wire.JOB.pack(
        wire.MAGIC,
        kind,
        limits.cpu_s,
        limits.wall_s,
        limits.memory_mb,
        limits.output_bytes,
        limits.result_bytes,
        limits.open_files,
        limits.processes,
        limits.file_mb,
        code,
        inputs,
        tester,
    )
