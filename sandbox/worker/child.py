"""A program's own process: lock it down, run the candidate, write what it returns as frames.

Everything after the lock-down may be the candidate's doing; what comes out of here is data to be
judged elsewhere and proves nothing by itself.
"""

import builtins
import marshal
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from sandbox import codec
from sandbox.worker import linux, wire
from sandbox.worker.seccomp import ProgramFilter

NAME = "candidate"
FILE = "<candidate>"
RESULT_FD = 3
BACKSTOP_S = 2
"""How much more CPU time the kernel allows than the limit: the zygote's clock decides."""
FLUSH_S = 0.05
FLUSH_BYTES = 32768
TEXT_MAX = 300

_NAME_OF: Callable[[type], str] = type.__dict__["__name__"].__get__
_SAFE_ARGUMENTS = (str, int, float, bool, bytes, type(None))


def enter(
    job: wire.Job,
    out: int,
    result: int,
    extra: int | None,
    filters: ProgramFilter | None,
    *,
    apart: bool,
) -> None:
    """Become the program's process: descriptors, limits, no capabilities, the filter.

    ``extra`` becomes descriptor 4: the line between candidate and tester. ``apart``: in a user
    namespace, where processes can be counted. Writes ``READY`` last.
    """
    os.setsid()
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(out, 1)
    os.dup2(out, 2)
    # Numbers may collide with 3 and 4, so both move out of the way first.
    moved = [os.dup(fd) for fd in (result, extra) if fd is not None]
    for place, fd in enumerate(moved, start=RESULT_FD):
        os.dup2(fd, place)
    os.closerange(RESULT_FD + len(moved), 1024)
    _limit(job, apart)
    if filters is not None:
        linux.drop_capabilities()
        filters.install(os.getpid())
    os.write(RESULT_FD, wire.FRAME.pack(wire.READY, 0))


def _limit(job: wire.Job, apart: bool) -> None:
    cpu = int(job.cpu_s) + BACKSTOP_S
    limits = [
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, job.memory_mb << 20),
        (resource.RLIMIT_FSIZE, job.file_mb << 20),
        (resource.RLIMIT_NOFILE, job.open_files),
        (resource.RLIMIT_CORE, 0),
    ]
    if apart:  # elsewhere all of the user's processes count; there threads end at RLIMIT_AS
        limits.append((resource.RLIMIT_NPROC, job.processes))
    for which, amount in limits:
        resource.setrlimit(which, (amount, amount))


class Frames:
    """Writes frames to the result descriptor, gathered so that few calls are made."""

    def __init__(self, fd: int = RESULT_FD) -> None:
        self._fd = fd
        self._buffer: list[bytes] = []
        self._size = 0
        self._last = time.monotonic()

    def add(self, tag: bytes, body: bytes = b"") -> None:
        """Queue one frame; write when there is much or when it is some time since."""
        self._buffer += (wire.FRAME.pack(tag, len(body)), body)
        self._size += len(body)
        now = time.monotonic()
        if self._size > FLUSH_BYTES or now - self._last > FLUSH_S:
            self._last = now
            self.flush()

    def flush(self) -> None:
        """Write all that is queued."""
        view = memoryview(b"".join(self._buffer))
        self._buffer, self._size = [], 0
        while view:
            view = view[os.write(self._fd, view) :]


def finish() -> None:
    """End this process at once, after what the program printed is out."""
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except (OSError, ValueError, AttributeError):
            continue  # the program closed it: then there is nothing to keep
    os._exit(0)


def load(source: str, setup_code: str) -> dict[str, Any]:
    """Run the candidate's module; its names."""
    module = ModuleType(NAME)
    sys.modules[NAME] = module
    names = vars(module)
    if setup_code:
        exec(compile(setup_code, "<setup>", "exec", dont_inherit=True), names)
    exec(compile(source, FILE, "exec", dont_inherit=True), names)
    return names


def describe(error: BaseException, call: int | None) -> bytes:
    """Tell what was raised, without running any of the candidate's own methods."""
    kind = type(error)
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and type(error.lineno) is int:
        line = error.lineno if line is None else line
    return codec.encode((call, _NAME_OF(kind), _text(error, kind), line))


def _text(error: BaseException, kind: type) -> str:
    if kind in (SyntaxError, IndentationError, TabError) and type(error.args[0]) is str:
        return error.args[0][:TEXT_MAX]
    method: Any = kind.__str__
    known = any(
        method is base.__dict__.get("__str__")
        for base in kind.__mro__
        if base.__module__ == "builtins"
    )
    if not known or not all(type(argument) in _SAFE_ARGUMENTS for argument in error.args):
        return ""
    if any(type(argument) is int and argument.bit_length() > 4096 for argument in error.args):
        return ""
    text: str = method(error)
    return text[:TEXT_MAX]


VIEWS = {name: getattr(builtins, name) for name in ("list", "tuple", "set", "frozenset", "sorted")}
VIEWS |= {name: getattr(builtins, name) for name in ("dict", "len", "int", "float", "str", "bool")}


def run_data(code: memoryview, inputs: memoryview, fd: int = RESULT_FD) -> None:
    """Return data mode: call by call, put the arguments in and write the value that comes back."""
    frames = Frames(fd)
    call: int | None = None
    try:
        entry_point, setup_code, calls = marshal.loads(inputs)
        names = load(str(code, "utf-8", "surrogatepass"), setup_code)
        for call, each in enumerate(calls):  # noqa: B007 - told on error
            frames.add(wire.VALUE, codec.encode(outcome(names, entry_point, each)))
        frames.add(wire.DONE)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        tag = wire.SYNTAX if call is None and is_syntax(error) else wire.RAISED
        frames.add(tag, describe(error, call))
    frames.flush()


def outcome(names: dict[str, Any], entry_point: str, call: Any) -> Any:
    """Make one call, on arguments made anew; what came back, as the test wants to see it."""
    function, packed, views = call
    args, kwargs = _arguments(packed)
    value = names[function or entry_point](*args, **kwargs)
    for view in views:
        value = VIEWS[view](value)
    return value


def is_syntax(error: BaseException) -> bool:
    """Return a fault of the source itself: none of its lines ran."""
    if error.__traceback__ is None:
        return False
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            return False
        trace = trace.tb_next
    return isinstance(error, (SyntaxError, ValueError, UnicodeError))


def _arguments(packed: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of one call, made anew: ``m`` is marshal's form, ``c`` is the codec's."""
    if packed[:1] == b"m":
        return marshal.loads(packed[1:])  # type: ignore[no-any-return]
    return codec.decode(packed[1:])  # type: ignore[no-any-return]
