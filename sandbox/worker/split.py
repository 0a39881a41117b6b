"""Split mode: tests in one process, the candidate in another, messages between them.

The candidate's process serves requests: read a name, call it, read or set an attribute, an
operation on an object. Plain data crosses as data; any other object stays where it is and crosses
as a number, behind which the tests see a :class:`Remote`. Arguments that a call changed in place
are changed for the tests as well. The tests decide, and the candidate cannot reach their process.
"""

import builtins
import marshal
import os
from typing import Any

from sandbox import codec
from sandbox.worker import child, wire
from sandbox.worker.child import Frames, describe, load

LINE_FD = 4
_line = [LINE_FD]
MESSAGE_MAX = 64 << 20

_OPERATIONS = frozenset(
    f"__{name}__"
    for name in """
    len iter next contains getitem setitem delitem bool str repr hash int float abs neg add radd
    sub rsub mul rmul truediv floordiv mod pow lt le gt ge enter exit
    """.split()  # noqa: SIM905 - a table of words
)
_TYPES = {name: thing for name, thing in vars(builtins).items() if isinstance(thing, type)}


class Gone(BaseException):
    """The other side hung up."""


def use_line(fd: int) -> None:
    """Talk to the other side on ``fd``: for a rehearsal, where no process of its own is entered."""
    _line[0] = fd


def send(body: bytes) -> None:
    """Write one message on the line."""
    view = memoryview(wire.FRAME.pack(b"M", len(body)) + body)
    try:
        while view:
            view = view[os.write(_line[0], view) :]
    except BrokenPipeError as error:
        raise Gone from error


def receive() -> bytes:
    """Read one message from the line."""
    _, size = wire.FRAME.unpack(_exactly(wire.FRAME.size))
    if size > MESSAGE_MAX:
        raise Gone
    return _exactly(size)


def _exactly(size: int) -> bytes:
    pieces = []
    while size:
        try:
            piece = os.read(_line[0], min(size, 1 << 16))
        except ConnectionResetError as error:
            raise Gone from error
        if not piece:
            raise Gone
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Server:
    """The candidate's side: its names and the objects that the tests hold."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._objects: list[Any] = []

    def serve(self) -> None:
        """Answer requests until the tests hang up."""
        while True:
            request = codec.decode(receive(), self._object)
            send(self._answer(*request))

    def _answer(self, verb: str, *rest: Any) -> bytes:
        try:
            return self._encode(("ok", *self._do(verb, *rest)))
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - the tests are to see it
            bases = [base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins"]
            _, name, text, line = codec.decode(describe(error, None))
            return codec.encode(("raised", bases, name, text, line))

    def _do(self, verb: str, target: Any, *rest: Any) -> tuple[Any, ...]:
        if verb == "get":
            if target not in self._names:
                raise NameError(f"name {target!r} is not defined")
            return (self._names[target], None)
        if verb == "attr":
            return (getattr(target, rest[0]), None)
        if verb == "set":
            setattr(target, rest[0], rest[1])
            return (None, None)
        if verb == "call":
            return self._call(target, *rest)
        return (_operate(target, *rest), None)

    def _call(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        before = self._encode(args)
        value = target(*args, **kwargs)
        changed = args if self._encode(args) != before else None
        return (value, changed)

    def _encode(self, value: Any) -> bytes:
        return codec.encode(value, self._number)

    def _number(self, thing: Any) -> int | str:
        if isinstance(thing, type) and _TYPES.get(thing.__name__) is thing:
            return thing.__name__
        self._objects.append(thing)
        return len(self._objects) - 1

    def _object(self, name: int | str) -> Any:
        return _TYPES[name] if isinstance(name, str) else self._objects[name]


def _operate(target: Any, operation: str, *operands: Any) -> Any:
    if operation not in _OPERATIONS:
        raise AttributeError(operation)
    if operation == "__bool__":
        return bool(target)
    if operation == "__iter__":
        return iter(target)
    return getattr(type(target), operation)(target, *operands)


class Remote:
    """An object of the candidate's, as the tests see it. It equals only itself."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "_number", number)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, over there."""
        return _request("call", self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return _request("attr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _request("set", self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is Remote and _number(other) == _number(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(("remote", _number(self)))


def _number(remote: Any) -> int:
    return object.__getattribute__(remote, "_number")  # type: ignore[no-any-return]


def _forward(operation: str) -> Any:
    def method(self: Remote, *operands: Any) -> Any:
        return _request("op", self, operation, *operands)

    return method


for _operation in _OPERATIONS - {"__hash__"}:
    setattr(Remote, _operation, _forward(_operation))


def _out(thing: Any) -> int | str | None:
    if type(thing) is Remote:
        return _number(thing)
    if isinstance(thing, type) and _TYPES.get(thing.__name__) is thing:
        return thing.__name__
    return None


def _in(name: Any) -> Any:
    return _TYPES[name] if isinstance(name, str) else Remote(name)


def _request(verb: str, *rest: Any) -> Any:
    send(codec.encode((verb, *rest), _out))
    answer = codec.decode(receive(), _in)
    if answer[0] == "raised":
        raise _rebuilt_error(*answer[1:])
    _, value, changed = answer
    if verb == "call" and changed is not None:
        for mine, theirs in zip(rest[1], changed, strict=True):
            _change(mine, theirs)
    return value


def _change(mine: Any, theirs: Any) -> None:
    """Make a container that the candidate changed in place the same here."""
    if isinstance(mine, (list, bytearray)):
        mine[:] = theirs
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(theirs)


class _CandidateError(Exception):
    """An error of a type that only the candidate knows."""


def _rebuilt_error(bases: list[str], name: str, text: str, line: int | None) -> BaseException:
    """Return the nearest built-in error; its ``where`` tells the type's own name and the line."""
    for base in bases:
        kind = _TYPES.get(base)
        if kind is not None and kind not in (Exception, BaseException, object):
            break
    else:
        kind = _CandidateError
    if kind in (SystemExit, KeyboardInterrupt, GeneratorExit):
        kind = _CandidateError  # a test's bare loop must not end by it
    try:
        error: BaseException = kind(text)
    except TypeError:  # a built-in error that wants more arguments
        error = _CandidateError(text)
    error.where = (name, text, line)  # type: ignore[attr-defined]
    return error


class _Names(dict[str, Any]):
    """The tests' globals: a name that neither they nor Python have is the candidate's."""

    def __init__(self, entry_point: str) -> None:
        super().__init__(__name__="tests")
        self._entry_point = entry_point

    def __missing__(self, name: str) -> Any:
        if name != self._entry_point and (hasattr(builtins, name) or name.startswith("__")):
            raise KeyError(name)
        return _request("get", name)


def run_candidate(code: memoryview, fd: int = child.RESULT_FD) -> None:
    """Load the candidate and serve the tests."""
    frames = Frames(fd)
    try:
        names = load(str(code, "utf-8", "surrogatepass"), "")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the candidate's
        frames.add(wire.SYNTAX if child.is_syntax(error) else wire.RAISED, describe(error, None))
        frames.flush()
        return
    try:
        Server(names).serve()
    except Gone:
        frames.add(wire.DONE)
        frames.flush()


def run_tester(payload: memoryview, fd: int = child.RESULT_FD) -> None:
    """Run the tests against the candidate at the other end of the line; write the verdict."""
    entry_point, setup_code, test_code = marshal.loads(payload)
    names = _Names(entry_point)
    word: str = "passed"
    detail: tuple[Any, ...] = ()
    try:
        for source, file in ((setup_code, "<setup>"), (test_code, "<tests>")):
            exec(compile(source, file, "exec", dont_inherit=True), names)
    except Gone:
        word = "gone"
    except AssertionError as error:
        word, detail = "failed", _detail(error)
    except BaseException as error:  # noqa: BLE001 - told as it is
        word, detail = "error", _detail(error)
    frames = Frames(fd)
    frames.add(wire.VERDICT, codec.encode((word, *detail)))
    frames.flush()


def _detail(error: BaseException) -> tuple[Any, ...]:
    where = getattr(error, "where", None)
    if where is not None:
        return tuple(where)
    _, name, text, _ = codec.decode(describe(error, None))
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return (name, text or (f"line {line} of the tests" if line else ""), None)
