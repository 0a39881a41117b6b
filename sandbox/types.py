"""The sandbox's vocabulary: programs and tests in, verdicts out.

A :class:`Tests` object says how a candidate is judged. In ``data`` mode only the inputs of its
calls are sent to the process that runs the candidate; the values that come back are compared with
``expected`` outside of it, so that no program can forge a verdict. In ``split`` mode ``test_code``
runs in a second sandboxed process and calls the candidate by messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

Compare = Literal["eq", "ne", "is", "truthy", "falsy", "close", "abs_lt", "isclose", "set_eq"]

VIA = ("list", "tuple", "set", "frozenset", "sorted", "dict", "len", "int", "float", "str", "bool")
"""Built-ins that a test may put around the candidate's result."""


class Word(StrEnum):
    """What the sandbox says of a program and its tests."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    VIOLATION = "violation"
    NOT_JUDGED = "not_judged"
    OBSERVED = "observed"
    """An observed run came to its last call: no verdict on any tests, and never stored as one."""


@dataclass(frozen=True)
class Limits:
    """What one program may use: CPU and wall seconds, megabytes of address space, bytes of output.

    ``cpu_s`` decides ``timeout``; ``wall_s`` is the backstop for programs that sleep.
    """

    cpu_s: float = 4.0
    wall_s: float = 20.0
    memory_mb: int = 512
    output_bytes: int = 65536
    result_bytes: int = 4 * 2**20
    open_files: int = 64
    processes: int = 32
    file_mb: int = 16


@dataclass(frozen=True)
class Call:
    """One test: ``function(*args, **kwargs)`` is to satisfy ``compare`` against ``expected``.

    ``compare``: ``eq`` and ``ne`` (Python's ``==`` and ``!=``), ``is`` (the very value None, True
    or False), ``truthy``, ``falsy``, ``close`` (numbers, also nested, within ``tolerance``,
    absolute or relative), ``abs_lt`` (``abs(result - expected) < tolerance``), ``isclose``
    (``math.isclose`` with ``tolerance`` as ``rel_tol``), ``set_eq`` (equal as sets). ``function``
    of None means the program's entry point. ``via`` names a built-in, one of ``types.VIA``, through
    which the result goes before it is compared, as in ``sorted(f(x)) == y``. Arguments and
    ``expected`` are plain data of built-in types.
    """

    args: tuple[Any, ...]
    expected: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    function: str | None = None
    compare: Compare = "eq"
    tolerance: float = 0.0
    via: str = ""


@dataclass(frozen=True)
class Tests:
    """How a candidate is judged, and why in this mode (``reason``)."""

    mode: Literal["data", "split"]
    entry_point: str
    calls: tuple[Call, ...] = ()
    setup_code: str = ""
    test_code: str = ""
    reason: str = ""
    __test__ = False  # not a pytest class


@dataclass(frozen=True)
class Program:
    """A candidate, what it is judged by, and a ``key`` that its verdict will carry.

    ``trace`` asks for the lines that each call reaches; it takes several times as long, for which
    the limits are raised, and needs tests in data mode.

    ``observe`` asks what each call gives instead of whether that is right: what is expected and how
    it would be compared is not looked at, and a call that raised does not end the run. It needs
    tests in data mode, and cannot be had together with ``trace``.
    """

    key: str
    code: str
    tests: Tests
    limits: Limits | None = None
    trace: bool = False
    observe: bool = False


@dataclass(frozen=True)
class Observed:
    """What one call of an observed program did; ``call`` is its number in the tests.

    ``word``: ``passed`` says only that a value of plain data came back; a call that the program
    did not come to has the word of what ended it. ``digest``: of the value, 32 hexadecimal digits,
    see ``sandbox/digest.py``. ``type``: of the exception, or of what ended the program.
    """

    call: int
    word: Word
    digest: str = ""
    type: str = ""


@dataclass(frozen=True)
class CallTrace:
    """How one call went and which of the candidate's lines it reached; ``call`` None: the import.

    The lines are the candidate's own word: it could hide some, but not change a verdict by that.
    """

    call: int | None
    word: Word
    lines: frozenset[int]


@dataclass(frozen=True)
class Failure:
    """The first call that went wrong: its index, exception type, text, line in the candidate."""

    call: int | None = None
    type: str = ""
    text: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What was found: CPU and wall in seconds, peak memory in MiB, capped output.

    An observed run is no verdict on its tests: its word is never ``passed`` or ``failed``, but
    ``observed`` where it came to its last call, else what ended it. ``observed`` has then one item
    for each call.
    """

    key: str
    word: Word
    failure: Failure | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_mb: float = 0.0
    output_head: str = ""
    output_tail: str = ""
    level: str = ""
    version: str = ""
    trace: tuple[CallTrace, ...] = ()
    observed: tuple[Observed, ...] = ()

    @property
    def passed(self) -> bool:
        """True when every call did what it should."""
        return self.word is Word.PASSED


class ProgramRunner(Protocol):
    """Who runs programs: a ``Sandbox``, or whoever hands them to sandboxes elsewhere.

    ``workers`` programs run at once, under ``limits`` where they bring none. Verdicts of one
    ``level`` and ``version`` can be compared.
    """

    workers: int
    limits: Limits
    level: str
    version: str

    def run_many(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        """Verdicts as they finish; ``programs`` is read lazily in a thread of its own."""
